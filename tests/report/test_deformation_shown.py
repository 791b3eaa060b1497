"""The deformation of a study in its files and on its page."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Wedge
from PIL import Image

from ear_jax.analysis.deformation import deform
from ear_jax.analysis.segments import NAMES
from ear_jax.report import bulls_eye
from ear_jax.report.deformation import FILES, strain_table, tell, write


@pytest.fixture(scope='module')
def deformed(analysed):
  """Slices without a place: what needs several of them is withheld."""
  return deform([one.reference for one in analysed])


def test_the_bulls_eye_has_the_anterior_wall_above_and_the_septum_left():
  for segment, name in enumerate(NAMES[:16], start=1):
    middle = np.deg2rad(np.mean(bulls_eye.angles(segment)))
    if name.endswith(('anterior', 'inferior')):
      assert np.sin(middle) == pytest.approx(1 if name.endswith('anterior') else -1)
    else:
      assert np.cos(middle) * (1 if 'lateral' in name else -1) > 0.5


def test_each_segment_has_its_value_and_what_is_unknown_is_hatched():
  table = pd.DataFrame({f'{kind}_percent': np.arange(17.0) for kind in bulls_eye.RANGES})
  table.loc[[3, 16], 'radial_percent'] = np.nan
  drawn = bulls_eye.figure(table)
  radial = drawn.axes[list(bulls_eye.RANGES).index('radial')]
  assert sum(bool(wedge.get_hatch()) for wedge in radial.patches if isinstance(wedge, Wedge)) == 2
  shown = {text.get_text() for text in radial.texts}
  assert {str(k) for k in range(16) if k != 3} <= shown
  assert '3' not in shown


def test_files_are_written_and_removed(deformed, tmp_path):
  write(tmp_path, 'anon', deformed)
  assert {path.name for path in tmp_path.iterdir()} == set(FILES)
  table = pd.read_csv(tmp_path / 'strain.csv')
  of = table.query("group == 'global' and kind == 'circumferential' and slice == 'sax2'")
  found = deformed.motions[1].strain.strain['global'][0, :, 1]
  np.testing.assert_allclose(of['strain_percent'], found, rtol=1e-4, atol=1e-4)
  write(tmp_path, 'anon', None)
  assert not list(tmp_path.iterdir())


def test_noise_is_empty_in_the_table_and_its_error_is_there(deformed):
  motion = deformed.motions[0]
  motion.strain.strain_error['layers'][0, 3, 0] = 99.0
  table = strain_table(motion).query("group == 'layers' and region == 0 and kind == 'radial' and frame == 3")
  assert table['strain_percent'].isna().all()
  assert table['strain_standard_error'].tolist() == [99.0]


def test_the_page_shows_numbers_pictures_and_reasons(deformed, request):
  told = tell(deformed)
  text = request.getfixturevalue('write')(deformation=told).read_text(encoding='utf-8')
  assert 'Deformation and timing' in text
  assert 'No longitudinal strain, torsion or gradient from base to apex' in text
  assert 'the distance of the slices is not known' in text
  assert text.count('alt="Strain curves of') == 3
  picture = Image.open(io.BytesIO(base64.b64decode(told.bulls_eye.partition(',')[2])))
  assert min(picture.size) > 300


def test_a_page_without_deformation_says_nothing_of_it(report):
  assert 'Deformation and timing' not in report.read_text(encoding='utf-8')
