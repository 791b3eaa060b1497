"""Where contours are from, frame by frame: a network, a person, a file that does not say; and that in words."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ear_jax.analysis.motion import Contours

WORDS = {  # of a frame, in the order in which they are told
  'drawn': 'by hand',
  'agreed': 'agreed to',
  'given': 'of a file that does not say who drew them',
  'mask': 'of a mask that came with the study',
  'carried': 'followed',
  'network': 'of the network, untouched',
  'cleared': 'said to hold no ventricle',
}
_FOR_REFERENCE = ('drawn', 'agreed', 'given')


def all_of(contours: Contours, origin: str, networks: Sequence[str] = ()) -> Contours:
  """Returns contours that are all from one place, a key of `WORDS`."""
  return dataclasses.replace(contours, origins=(origin,) * len(contours.failed), networks=tuple(networks))


def frames_of(contours: Contours, *origins: str) -> np.ndarray:
  """Returns `[T]` bool, frames with contours that are from one of these places."""
  known = contours.origins or ('',) * len(contours.failed)
  return np.isin(known, origins) & ~contours.failed


def by_person(contours: Contours) -> bool:
  """Returns whether a person answers for the contours: drew them, looked at all of them, or gave a file of them."""
  given = frames_of(contours, 'given', 'mask')
  return contours.drawn or bool(given.any() and (given | contours.failed).all())


def looked_at(contours: Contours) -> Contours | None:
  """Returns those of the contours that a person has seen, the other frames failed; None where there are none."""
  seen = frames_of(contours, *_FOR_REFERENCE)
  if contours.drawn or not seen.any():
    return contours if contours.drawn else None
  return dataclasses.replace(contours, failed=~seen)


def agreed(contours: Contours) -> Contours:
  """Returns contours with which a person has agreed as a whole: frames of the network are agreed to."""
  origins = tuple('agreed' if one == 'network' else one for one in contours.origins)
  return dataclasses.replace(contours, drawn=True, corrected=True, origins=origins)


def in_words(slices: Iterable[Contours]) -> str:
  """Returns where contours of one slice or several are from: '2 frames by hand, 48 followed; begun with network X'."""
  slices = list(slices)
  counts: Counter[str] = Counter()
  for one in slices:
    known, unsaid = one.origins or ('',) * len(one.failed), 'drawn?' if one.drawn else '?'
    counts.update(origin or unsaid for origin, failed in zip(known, one.failed, strict=True) if not failed)
    counts.update(origin for origin in known if origin == 'cleared')
  named = [*dict.fromkeys(short(name) for one in slices for name in one.networks)]
  network = f'network{"s" * (len(named) > 1)} {" and ".join(named)}' if named else 'a program that is not named'
  if not counts:
    return 'none'
  if set(counts) <= {'network', '?'}:
    return f'{network}, untouched'
  words = WORDS | {'drawn?': 'by a person, drawn or corrected', '?': 'of a program'}
  words['network'] = f'of the network{"s" * (len(named) > 1)}, untouched'
  first, *others = [(counts[origin], word) for origin, word in words.items() if counts[origin]]
  told = [f'{first[0]} frame{"s" * (first[0] > 1)} {first[1]}', *(f'{count} {word}' for count, word in others)]
  return ', '.join(told) + f'; begun with {network}' * bool(named)


def short(network: str) -> str:
  """Returns the name of a network without what it was trained on."""
  return network.partition(', trained on')[0].partition(': ')[0]
