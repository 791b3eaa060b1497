"""Two readers' contours of one study, compared."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from editing import PLANTED, dice

from ear_jax.analysis.slices import analyse_with_contours
from ear_jax.formats import strainmap
from ear_jax.formats.open import open_studies
from ear_jax.formats.strainmap_marks import Mark, fingerprint
from ear_jax.system.errors import UserError
from ear_jax.workflows.evaluate_studies import evaluate_reader
from ear_jax.workflows.make_phantom import make_phantom


def test_a_second_reader_is_compared_frame_by_frame_where_both_have_contours(phantom, tmp_path):
  scan, second = tmp_path / 'scan', tmp_path / 'second'
  make_phantom(scan, size='mini', contours=True)
  (opened,) = open_studies(scan)
  cine, contours = opened[1], phantom.bases[1].network
  failed = np.arange(16) == 9  # the second reader has left a frame out
  endo, epi = (np.where(failed[:, None, None], np.nan, side) for side in (contours.endo, contours.epi))
  drawn = type(contours)(endo, epi, contours.flags, failed, drawn=True)
  second.mkdir()
  motion = analyse_with_contours(cine, drawn)
  mark = Mark(fingerprint(cine), drawn=True)
  strainmap.write(second / 'second.nc', [motion], [cine.slice_id], pseudonym='second', marks=[mark])
  summary = evaluate_reader(second, tmp_path / 'out', scan)
  rows = pd.read_csv(tmp_path / 'out/per_frame.csv')
  assert rows['frame'].tolist() == [t for t in range(16) if t != 9]  # of one slice: of the others there is one reader
  np.testing.assert_allclose(rows['dice'], dice(contours, phantom.cines[1].mask)[~failed], atol=0.01)
  assert (
    rows.loc[rows['frame'].isin(PLANTED), 'dice'].max() < 0.7 < rows.loc[~rows['frame'].isin(PLANTED), 'dice'].min()
  )
  assert summary['metrics']['assd']['mean'] > 0
  assert json.loads((tmp_path / 'out/metrics.json').read_text())['manifest']['compared'].startswith('two readers')
  page = (tmp_path / 'out/readers.html').read_text()
  assert f'{summary["metrics"]["dice"]["mean"]:.3f}' in page
  assert re.findall('<h2>(.*)</h2>', page)[:2] == ['Contours', 'Velocity curves']
  assert page.count('src="data:image/png') == len(re.findall('<img', page)) >= 3


def test_contours_that_do_not_say_whose_they_are_are_refused(phantom, tmp_path):
  with pytest.raises(UserError, match='no contours by a person'):
    evaluate_reader(tmp_path, tmp_path / 'out', phantom.folder)
