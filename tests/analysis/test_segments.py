"""The 17 segments: which sectors each holds, against the names that the sectors have."""

import numpy as np
import pytest

from ear_jax.analysis.motion import SECTORS
from ear_jax.analysis.segments import NAMES, gather, level_of, sectors_of

WALLS = {'A': 'anterior', 'AS': 'anteroseptal', 'IS': 'inferoseptal', 'I': 'inferior', 'IL': 'inferolateral'}
WALLS |= {'AL': 'anterolateral'}


@pytest.mark.parametrize('orientation', ['CCW', 'CW'])
def test_basal_and_mid_segments_are_the_sectors_of_that_name(orientation):
  for segment in range(1, 13):
    (sixth,) = {sector // 4 for sector in sectors_of(segment, orientation)}
    wall = WALLS[SECTORS[orientation][sixth]]
    assert NAMES[segment - 1] == f'{"basal" if segment <= 6 else "mid"} {wall}'


@pytest.mark.parametrize('orientation', ['CCW', 'CW'])
def test_apical_segments_lie_amid_the_walls_of_their_name(orientation):
  # The septum's middle is where sector 0 begins; the middles of the others lie amid the sixths A, I, and AL with IL.
  assert sectors_of(14, orientation) == [21, 22, 23, 0, 1, 2]
  for segment, letter in ((13, 'A'), (15, 'I')):
    sixth = SECTORS[orientation].index(letter)
    assert set(range(4 * sixth, 4 * sixth + 4)) & set(sectors_of(segment, orientation)) != set()
    assert all(sector // 4 in (sixth - 1, sixth, sixth + 1) for sector in sectors_of(segment, orientation))
  assert sectors_of(16, orientation) == [9, 10, 11, 12, 13, 14]


@pytest.mark.parametrize('numbers', [range(1, 7), range(7, 13), range(13, 17)])
def test_every_sector_is_in_one_segment_of_a_level(numbers):
  assert sorted(s for number in numbers for s in sectors_of(number, 'CW')) == list(range(24))


def test_gathering_means_over_sectors_and_slices():
  first, second = np.arange(24.0), np.arange(24.0) + 2
  found = gather([first, second], ['base', 'base'], 'CCW')
  inferoseptal = NAMES.index('basal inferoseptal')
  assert found[inferoseptal] == pytest.approx(1.5 + 1)  # sectors 0 to 3, and the mean of both slices
  assert np.isnan(found[6:]).all()
  assert [level_of(n) for n in (6, 7, 12, 13, 17)] == ['base', 'mid', 'mid', 'apex', 'apex']
