"""A model of a second reader: which Dice has a contour that is as good as the reference, and drawn by another hand?

Both contours of a wall are circles; the second reader's are off by a random error along the radius, smooth in angle, of
a given size. So a Dice of a network can be read: beyond what two readers have in common there is nothing to learn.
It is a model, not a measurement of readers: errors have no bias, and those of the two contours are independent.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import ndimage

ERRORS = (0.5, 1.0, 1.5)  # mm
# mm, radii of endo- and epicardium: the medians, and the smallest tenth of the 321 end-diastolic Sunnybrook frames.
HEARTS = {'median slice': (25.0, 32.0), 'small slice, near the apex': (16.0, 21.5)}
ANGLES = 360
_SMOOTH = 30  # degrees, standard deviation of the Gaussian that white noise is smoothed by


def smooth_errors(size: float, draws: int, rng: np.random.Generator) -> np.ndarray:
  """Returns random functions of the angle `[draws, 360]` that are smooth and periodic, with mean 0 and SD `size`."""
  noise = rng.standard_normal((draws, ANGLES))
  smooth = ndimage.gaussian_filter1d(noise, _SMOOTH * ANGLES / 360, axis=-1, mode='wrap')
  return size * smooth / smooth.std()


def dice_of_radii(first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
  """Returns Dice of what the endocardium encloses ('endo'), the epicardium ('epi'), and of the wall ('ring').

  Args:
    first, second: `[2, ..., angles]`, radii of endo- and epicardium about one centre.
  """
  nothing = np.zeros_like(first[0])
  endo, epi = ([np.stack([nothing, radii[k]]) for radii in (first, second)] for k in (0, 1))
  return {'ring': _dice(first, second), 'endo': _dice(*endo), 'epi': _dice(*epi)}


def _dice(first: np.ndarray, second: np.ndarray) -> np.ndarray:
  both = np.stack([np.maximum(first[0], second[0]), np.minimum(first[1], second[1])])
  return 2 * _area(both) / (_area(first) + _area(second))


def _area(radii: np.ndarray) -> np.ndarray:
  """Area between two radii `[2, ..., angles]`, in some unit; 0 in a direction in which the second is smaller."""
  inner, outer = radii
  return (np.maximum(outer, inner) ** 2 - inner**2).sum(-1)


def second_readers(draws: int = 2000, seed: int = 0) -> pd.DataFrame:
  """Returns one line per heart and size of error: what random second readers have in common with the first.

  Columns 'heart', 'endo_mm' and 'epi_mm' (radii), 'error' (mm, SD along the radius), 'apd' (mm, its mean size), and for
  each of 'ring', 'endo' and 'epi' the mean Dice, and its 5th percentile over readers as 'ring_low' and so on.
  """
  rng, rows = np.random.default_rng(seed), []
  for (heart, radii), size in itertools.product(HEARTS.items(), ERRORS):
    first = np.broadcast_to(np.reshape(radii, (2, 1, 1)), (2, draws, ANGLES))
    second = first + np.stack([smooth_errors(size, draws, rng) for _ in radii])
    row = {'heart': heart, 'endo_mm': radii[0], 'epi_mm': radii[1], 'error': size}
    row['apd'] = float(np.abs(second - first).mean())
    for name, dice in dice_of_radii(first, second).items():
      row |= {name: float(dice.mean()), f'{name}_low': float(np.percentile(dice, 5))}
    rows.append(row)
  return pd.DataFrame(rows)
