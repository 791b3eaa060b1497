"""Masks of several structures: which value means what, and masks in our own values.

    1 cavity of the left ventricle   2 myocardium of the left ventricle   3 right ventricle

Public data sets agree on the structures and not on their values, so a layout states them; where none does, a mask of
one value is the myocardium, whatever that value is, and of several a person must say which (`Choices.label`).
"""

from collections.abc import Mapping

import numpy as np

STRUCTURES = ('cavity', 'myocardium', 'right ventricle')
MYOCARDIUM = 1 + STRUCTURES.index('myocardium')
_WHOLE = 1e-3  # by which a value may miss a whole number: rounding of a resampled or rescaled file
_MOST = 12  # values of a mask; one that is a picture has more

Meaning = Mapping[int, str]  # structure by value


def understand(mask: np.ndarray, known: Meaning, label: int | None) -> Meaning:
  """Returns the structure that each value of a mask stands for, as far as it is one of ours.

  Args:
    mask: of any shape.
    known: what the layout says of its values; empty where it says nothing.
    label: the value of the myocardium, where the user states it; it then overrides what the layout says.

  Raises: ValueError, in words that follow "mask", when the values are no labels or their meaning is not known.
  """
  if not np.isfinite(mask).all() or np.abs(mask - np.rint(mask)).max(initial=0) > _WHOLE:
    raise ValueError('holds values between whole numbers: resample it by the nearest neighbour')
  values = [int(value) for value in np.unique(np.rint(mask)) if value]
  if len(values) > _MOST or min(values, default=1) < 0:
    raise ValueError(f'holds {len(values)} values, from {min(values)} to {max(values)}: it is a picture, not a mask')
  listed = ', '.join(map(str, values)) or 'none'
  if label is not None:
    if values and label not in values:
      raise ValueError(f'holds values {listed}, and not {label}, which was given as the myocardium')
    return {label: 'myocardium'}
  if known:
    if strange := [value for value in values if value not in known]:
      raise ValueError(f'holds value {strange[0]}, which the layout does not know: say which is the myocardium (label)')
    return known
  if len(values) > 1:
    raise ValueError(f'holds values {listed}: say which is the myocardium (label)')
  return dict.fromkeys(values, 'myocardium')


def ours(mask: np.ndarray, meaning: Meaning) -> np.ndarray:
  """Returns a mask of the same shape, uint8, in our own values; 0 where the value means nothing of ours."""
  structures = np.zeros(mask.shape, np.uint8)
  for value, structure in meaning.items():
    if structure in STRUCTURES:
      structures[np.rint(mask) == value] = 1 + STRUCTURES.index(structure)
  return structures
