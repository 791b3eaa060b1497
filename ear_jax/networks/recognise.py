"""Finds the orientation of a study in the patient from its pictures, where no file states it.

Each of the eight views of a slice is compared with the portrait that a network keeps of its training pictures, about
the heart that the network finds in that view. Slices of one study lie the same way, so that they vote together: five
from the middle, where the right ventricle shows; all of them where those do not agree clearly.
"""

from collections.abc import Callable

import numpy as np

from ear_jax.cine import MAGNITUDE, Cine
from ear_jax.data.upright import TURNS, Axes, axes_turned, likeness, looks, turned, undone
from ear_jax.networks.segment import Network, find_heart

_VOTES = 5
_CLEAR = 0.05  # of correlation, to the next best view
_ALIKE = 0.3  # of correlation: what is less like a heart of the training set is left as it is stored


def recognise(read: Callable[[int], Cine], count: int, network: Network) -> tuple[Axes | None, str]:
  """Returns how the slices of a study lie in the patient, and that in words for a person.

  None and '' where a slice has a place, which says it, and where the network does not know what to compare with. One
  view is always the best: a cine gives the same mask in whatever order its rows and columns are stored.

  Args:
    read: returns the slice of an index.
    count: slices of the study, from base to apex.
    network: trained on magnitude cines that all lay one way.
  """
  wanted = network.picture().axes
  if wanted is None or network.picture().heart is None or read(count // 2).place:
    return None, ''
  first = max(0, (count - _VOTES) // 2)
  middle = range(count)[first : first + _VOTES]
  scores = {index: views(read(index), network) for index in middle}
  if _margin(scores) < _CLEAR:
    scores |= {index: views(read(index), network) for index in set(range(count)) - set(middle)}
  mean = np.mean(list(scores.values()), axis=0)
  turn = TURNS[int(np.argmax(mean))]
  if mean.max() < _ALIKE:
    return None, (
      'no file says how the pictures lie in the patient, and they look like none of the training pictures (correlation '
      f'{mean.max():.2f}): delineated as they are stored'
    )
  how = [f'turned {90 * turn.quarters} degrees counter-clockwise'] * bool(turn.quarters)
  how = ['mirrored left to right'] * turn.mirrored + how or ['as they are stored']
  sure = '' if _margin(scores) >= _CLEAR else ', which is not clear: look at the contours'
  note = (
    f'no file says how the pictures lie in the patient: {" and ".join(how)} they look most like the training pictures '
    f'(correlation {mean.max():.2f}, the next best of eight views {np.sort(mean)[-2]:.2f}{sure})'
  )
  return axes_turned(wanted, undone(turn)), note


def views(cine: Cine, network: Network) -> np.ndarray:
  """Returns the likeness `[8]` of each view of a slice, in the order of `TURNS`; 0 where the network finds no heart."""
  heart, pictures = network.picture().heart or (), []
  for turn in TURNS:
    view = turned(cine, turn)
    centre, size = find_heart(view, network)
    spacing = view.spacing if np.isfinite(view.spacing).all() else network.picture().spacing or (1.0, 1.0)
    pictures.append(likeness(looks(view.video[0, ..., MAGNITUDE], centre, spacing), heart) if size > 0 else 0.0)
  return np.array(pictures)


def _margin(scores: dict[int, np.ndarray]) -> float:
  mean = np.sort(np.mean(list(scores.values()), axis=0))
  return float(mean[-1] - mean[-2])
