"""The 17 segments of the American Heart Association: where they lie, and values of slices gathered into them.

Cerqueira et al., Circulation 2002;105:539: six segments of 60 degrees at the base (1 to 6) and at mid level (7 to 12),
four of 90 degrees at the apex (13 to 16), and the cap (17), which no short-axis slice shows. They are gathered from
the 24 sectors of a slice, which begin at mid septum: the apical septum is centred there.
"""

from collections.abc import Sequence

import numpy as np

_WALLS = ('anterior', 'anteroseptal', 'inferoseptal', 'inferior', 'inferolateral', 'anterolateral')
NAMES = (
  *(f'{level} {wall}' for level in ('basal', 'mid') for wall in _WALLS),
  *(f'apical {wall}' for wall in ('anterior', 'septal', 'inferior', 'lateral')),
  'apical cap',
)
SEPTAL, LATERAL = (2, 3), (5, 6)  # of the six of a level, from 1
_SIX = {'CCW': (3, 4, 5, 6, 1, 2), 'CW': (2, 1, 6, 5, 4, 3)}  # of each sixth, clockwise on screen from mid septum
_FOUR = {'CCW': (14, 15, 16, 13), 'CW': (14, 13, 16, 15)}  # of each quarter, the first centred on mid septum


def sectors_of(segment: int, orientation: str) -> list[int]:
  """Returns which of the 24 sectors of a slice a segment (1 to 16) holds.

  Args:
    segment: its number.
    orientation: 'CCW' or 'CW', of `Settings`.
  """
  if segment <= 12:
    sixth = _SIX[orientation].index((segment - 1) % 6 + 1)
    return list(range(4 * sixth, 4 * sixth + 4))
  quarter = _FOUR[orientation].index(segment)
  return [(6 * quarter - 3 + k) % 24 for k in range(6)]


def level_of(segment: int) -> str:
  """Returns 'base', 'mid' or 'apex' of a segment (1 to 17)."""
  return 'base' if segment <= 6 else 'mid' if segment <= 12 else 'apex'


def gather(values: Sequence[np.ndarray], levels: Sequence[str], orientation: str) -> np.ndarray:
  """Returns means `[17, ...]` of sectors' values over the sectors and slices of each segment; NaN where no slice is.

  Args:
    values: of each slice `[24, ...]`.
    levels: of each slice.
    orientation: 'CCW' or 'CW'.
  """
  of_segments = np.full((len(NAMES), *np.shape(values[0])[1:]), np.nan)
  for segment in range(1, 17):
    here = [one for one, level in zip(values, levels, strict=True) if level == level_of(segment)]
    if here:
      of_segments[segment - 1] = np.mean([one[sectors_of(segment, orientation)].mean(0) for one in here], 0)
  return of_segments
