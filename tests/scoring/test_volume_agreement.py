"""Ejection fraction and mass of two sides: worked out by hand, and what is left out of both."""

import math

import numpy as np
import pandas as pd
import pytest

from ear_jax.analysis.polar import RAYS
from ear_jax.cine import Place
from ear_jax.report.volume_agreement import figure, write_volume_agreement
from ear_jax.scoring.volume_agreement import agree, frame_areas, summarise

AREAS = ('endo_reference', 'epi_reference', 'endo_predicted', 'epi_predicted')
NAN = math.nan


def rows(*lines, subject='anna'):
  """Lines (slice, frame, endo and epi of the reference, endo and epi of the prediction)."""
  table = pd.DataFrame(lines, columns=['slice_id', 'frame', *AREAS])
  return table.assign(subject=subject, dataset=subject)


TWO = rows(
  ('a', 0, 2000, 3000, 1800, 3000),
  ('a', 5, 1000, NAN, 1000, 2600),
  ('b', 0, 1000, 2000, 1000, 2100),
  ('b', 5, 500, NAN, 400, 1500),
)
PLACES = {('anna', one): Place((0, 0, z), (1, 0, 0), (0, 1, 0)) for one, z in (('a', 0.0), ('b', 10.0))}


def test_volumes_by_hand():
  (line,) = agree(TWO, PLACES).to_dict('records')
  assert (line['ed'], line['es'], line['slices'], line['left_out'], line['stack']) == (0, 5, 2, 0, True)
  # (2000 + 1000) mm2 of 10 mm are 30 mL, (1000 + 500) 15 mL; of the prediction 28 and 14 mL: both eject half.
  assert [line[f'EDV_{side}'] for side in ('reference', 'predicted')] == pytest.approx([30, 28])
  assert [line[f'ESV_{side}'] for side in ('reference', 'predicted')] == pytest.approx([15, 14])
  assert [line[f'ejection fraction_{side}'] for side in ('reference', 'predicted')] == pytest.approx([50, 50])
  # Walls of (1000 + 1000) and (1200 + 1100) mm2 of 10 mm, 1.05 g/mL.
  assert [line[f'mass_{side}'] for side in ('reference', 'predicted')] == pytest.approx([21, 24.15])


def test_without_known_distances_volumes_are_per_cent_of_the_reference_and_the_ejection_fraction_is_the_same():
  (line,) = agree(TWO).to_dict('records')
  assert not line['stack']
  assert line['ejection fraction_predicted'] == pytest.approx(50)
  found = summarise(agree(TWO))['quantities']
  assert {found[name]['unit'] for name in ('mass', 'EDV', 'ESV')} == {'% of reference'}
  assert [found[name]['bias'] for name in ('EDV', 'mass')] == pytest.approx([100 * 28 / 30 - 100, 15])


def test_a_slice_that_one_side_lacks_counts_on_neither_side_and_in_neither_frame():
  table = pd.concat([TWO, rows(('c', 0, 900, 1500, 900, 1500), ('c', 5, 100, NAN, NAN, NAN))])
  (line,) = agree(table).to_dict('records')
  assert (line['slices'], line['left_out']) == (3, 1)
  assert line['ejection fraction_reference'] == pytest.approx(50)


def test_a_slice_that_the_reference_has_at_end_diastole_alone_stays():
  table = pd.concat([TWO, rows(('c', 0, 500, 900, 400, 900))])
  (line,) = agree(table).to_dict('records')
  assert line['ejection fraction_reference'] == pytest.approx(100 * (1 - 1500 / 3500))
  assert line['ejection fraction_predicted'] == pytest.approx(100 * (1 - 1400 / 3200))


def test_end_diastole_alone_has_a_mass_and_no_ejection_fraction():
  (line,) = agree(TWO[TWO['frame'] == 0], PLACES).to_dict('records')
  assert line['mass_reference'] == pytest.approx(21)
  assert math.isnan(line['ejection fraction_reference'])
  assert math.isnan(line['ESV_predicted'])
  assert list(summarise(agree(TWO[TWO['frame'] == 0], PLACES))['quantities']) == ['mass', 'EDV']


def test_slices_that_are_no_stack_have_no_volume_to_compare():
  far = {key: Place((0, 0, 3 * place.corner[2]), (1, 0, 0), (0, 1, 0)) for key, place in PLACES.items()}
  assert agree(TWO, far).empty
  assert agree(TWO, PLACES | {('anna', 'b'): None}).empty
  assert agree(TWO[TWO['slice_id'] == 'a']).empty
  assert summarise(agree(TWO, far))['quantities'] == {}


def test_a_frame_drawn_in_few_slices_is_not_end_systole():
  table = pd.concat([TWO, rows(('c', 0, 900, 1500, 900, 1500), ('c', 7, 50, 90, 50, 90))])
  assert agree(table)['es'].tolist() == [5]


def test_areas_are_those_of_masks_and_drawn_curves(make_cine):
  grid = np.indices((60, 60)) - 29.5
  away = np.hypot(*grid)
  ring = np.stack([(away > 12) & (away <= 18), (away > 9) & (away <= 16), np.zeros((60, 60), bool)])
  ring = ring.astype(np.uint8)
  annotated = np.array([True, False, False])
  still = {'video': np.zeros((3, 60, 60, 1), np.float32), 'venc': None, 'spacing': (2.0, 1.5)}
  cine = make_cine(channels=1).replace(mask=ring * annotated[:, None, None], annotated=annotated, **still)
  table = frame_areas(cine, ring, cavities={1: 29.5 + 9 * RAYS})
  assert table['frame'].tolist() == [0, 1]
  np.testing.assert_allclose(
    table['endo_reference'], [math.pi * 12**2 * 3, math.pi * 9**2 * 3], rtol=0.02
  )  # of a disc on a lattice
  np.testing.assert_allclose(
    table['endo_predicted'], [math.pi * 12**2 * 3, math.pi * 9**2 * 3], rtol=0.02
  )  # of a disc on a lattice
  np.testing.assert_allclose(
    table['epi_predicted'], [math.pi * 18**2 * 3, math.pi * 16**2 * 3], rtol=0.02
  )  # of a disc on a lattice
  assert np.isnan(table['epi_reference']).tolist() == [False, True]


def test_the_files_say_the_bias_and_which_slices_count(tmp_path):
  table = agree(pd.concat([TWO, rows(*TWO[['slice_id', 'frame', *AREAS]].to_numpy().tolist(), subject='berta')]))
  found = write_volume_agreement(tmp_path, table)
  assert found['quantities']['mass']['bias'] == pytest.approx(15)
  assert found['quantities']['mass']['unit'] == '% of reference'
  assert 'sum' in found['notes'][0]
  assert 'taken to be equal' in ' '.join(found['notes'])
  assert {path.name for path in tmp_path.iterdir()} == {
    'volume_agreement.csv', 'volume_agreement.md', 'bland_altman_volumes.png'
  }  # fmt: skip
  assert [axis.get_title() for axis in figure(table, found).axes] == ['Ejection fraction', 'Mass', 'EDV', 'ESV']


def test_known_and_unknown_distances_are_not_averaged():
  other = rows(*TWO[['slice_id', 'frame', *AREAS]].to_numpy().tolist(), subject='berta')
  with pytest.raises(ValueError, match='evaluate them apart'):
    summarise(agree(pd.concat([TWO, other]), PLACES))
