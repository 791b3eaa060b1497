"""Planted faults come first and are called by their names; sound references are left in peace."""

import numpy as np
import pytest
from rings import SIZE, cohort, wall
from scipy import ndimage

from ear_jax.scoring.audit import LIMIT, first_of_cines, rank, remarks
from ear_jax.scoring.reference_faults import suspect

COHORT = cohort()
SOUND = [suspect(visit) for visit in COHORT]
VICTIM = 7  # of 22 people


def half(mask):
  out = mask.copy()
  out[:, :, int(np.argwhere(mask)[:, 2].mean()) :] = False
  return out


FAULTS = {  # what is done to each reference, the kind that is to be named, and words of its detail
  'right': (lambda m, _: np.roll(m, 6, 2), 'shifted', '6 px right'),
  'up-left': (lambda m, _: np.roll(m, (-4, -5), (1, 2)), 'shifted', '4 px up, 5 px left'),
  'mirrored': (lambda m, _: m[:, :, ::-1], 'mirrored or turned', 'mirrored left to right'),
  'turned': (lambda m, _: np.rot90(m, 1, (1, 2)), 'mirrored or turned', 'turned by 90 degrees'),
  'large': (lambda m, k: wall((46, 46), 1.25 * (18 - 2.5 * k), 1.25 * 7)[None], 'scaled', 'x 1.25'),
  'cavity': (lambda m, _: ndimage.binary_fill_holes(m[0])[None] & ~m, 'cavity in place of the wall', ''),
  'filled': (lambda m, _: ndimage.binary_fill_holes(m[0])[None], 'cavity filled', ''),
  'half': (lambda m, _: half(m), 'part of the ring missing', ''),
  'empty': (lambda m, _: np.zeros_like(m), 'empty', ''),
  'far': (lambda m, _: wall((20, 75), 5, 12)[None], "another patient's", ''),
}


def faulty(pairs, fault):
  change = FAULTS[fault][0]
  if fault == 'large':  # exactly 1.25 times as large, and where it was
    pairs = [
      pair._replace(prediction=wall((46, 46), 18 - 2.5 * k, 7)[None], reference=pair.reference)
      for k, pair in enumerate(pairs)
    ]
  return [pair._replace(reference=change(pair.reference, k)) for k, pair in enumerate(pairs)]


@pytest.mark.parametrize('fault', FAULTS)
def test_a_fault_of_a_whole_visit_comes_first_and_is_named(fault):
  visits = list(SOUND)
  visits[VICTIM] = suspect(faulty(COHORT[VICTIM], fault))
  table = rank(visits)
  first = table.head(5)
  assert set(first['subject']) == {f'person-{VICTIM:02d}'}
  _, kind, detail = FAULTS[fault]
  assert set(first['kind']) == {kind}
  assert all(detail in found for found in first['detail'])
  assert table['frame'].tolist() == [3] * len(table)
  if kind not in ('empty', "another patient's"):
    before = np.mean([cine.dice for cine in SOUND[VICTIM]])
    assert (first['gain'] > 0.1).all()
    assert (1 - first['disagreement'] + first['gain']).mean() == pytest.approx(before, abs=0.1)


@pytest.mark.parametrize('fault', sorted(set(FAULTS) - {'large'}))
def test_a_fault_of_one_cine_comes_first_and_is_named(fault):
  pairs = list(COHORT[VICTIM])
  pairs[1] = faulty(pairs, fault)[1]
  table = rank([*SOUND[:VICTIM], suspect(pairs), *SOUND[VICTIM + 1 :]])
  assert tuple(table.loc[0, ['subject', 'slice_id', 'kind']]) == (f'person-{VICTIM:02d}', 'slice-1', FAULTS[fault][1])
  assert (table['score'] > LIMIT).sum() <= 7  # of 110


def test_slices_in_reverse_order_are_found():
  drawn = [pair.reference for pair in COHORT[VICTIM]][::-1]
  visits = list(SOUND)
  visits[VICTIM] = suspect([pair._replace(reference=m) for pair, m in zip(COHORT[VICTIM], drawn, strict=True)])
  table = rank(visits)
  assert set(table.head(5)['subject']) == {f'person-{VICTIM:02d}'}
  assert set(table.head(5)['kind']) == {"another slice's"}
  assert set(table.head(5)['detail']) == {'slices in reverse order'}


def test_sound_references_are_suspected_of_little_and_hard_slices_not_more_than_others():
  table = rank(SOUND)
  assert (table['kind'] != '').mean() < 0.05
  # Dice falls towards the apex, the score does not.
  by_level = table.groupby('level')[['disagreement', 'score']].median()
  assert by_level['disagreement']['last third'] > 1.5 * by_level['disagreement']['first third']
  assert by_level['score'].max() - by_level['score'].min() < 1


def test_what_several_slices_share_is_stronger_than_what_one_has():
  visits = list(SOUND)
  small = lambda m: np.roll(m, 2, 2)  # noqa: E731
  visits[VICTIM] = suspect([pair._replace(reference=small(pair.reference)) for pair in COHORT[VICTIM]])
  pairs = list(COHORT[3])
  pairs[2] = pairs[2]._replace(reference=small(pairs[2].reference))
  visits[3] = suspect(pairs)
  table = rank(visits)
  assert set(table.head(5)['subject']) == {f'person-{VICTIM:02d}'}
  alone = table[(table['subject'] == 'person-03') & (table['slice_id'] == 'slice-2')]['score'].item()
  assert alone < 0.6 * table.head(5)['score'].min()


def test_what_all_references_have_in_common_is_said_of_the_data_set_and_of_no_visit():
  moved = [suspect([p._replace(reference=np.roll(p.reference, 3, 2)) for p in visit]) for visit in COHORT]
  table = rank(moved)
  assert (table['kind'] != '').mean() < 0.05
  assert [note for note in remarks(moved) if 'shifted (3 px right)' in note]
  assert remarks(SOUND) == []


def test_a_network_that_finds_nothing_is_named_for_it():
  visits = list(SOUND)
  pairs = list(COHORT[VICTIM])
  pairs[1] = pairs[1]._replace(prediction=np.zeros((1, SIZE, SIZE), bool))
  visits[VICTIM] = suspect(pairs)
  assert rank(visits).loc[0, 'kind'] == 'no wall found by the network'
  assert [note for note in remarks(visits) if note.startswith('in 1 cines')]


def test_frames_of_a_cine_are_ranked_and_a_cine_has_one_line():
  pair = COHORT[0][0]
  four = pair._replace(
    frames=np.arange(4), reference=np.repeat(pair.reference, 4, 0), prediction=np.repeat(pair.prediction, 4, 0)
  )
  four.reference[2] = np.roll(four.reference[2], 9, 1)
  table = rank([suspect([four]), *SOUND[1:]])
  assert tuple(table.loc[0, ['subject', 'frame']]) == ('person-00', 2)
  cines = first_of_cines(table)
  assert len(cines) == len(table) - 3 == 1 + 5 * 21
  assert cines['rank'].tolist() == list(range(1, 107))
