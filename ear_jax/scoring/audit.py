"""Which references look wrong: frames ranked by how far they disagree with a network, for a slice of their kind.

Slices differ in how hard they are (the apex has a low Dice with any network), so a frame is compared with the frames of
its level. The evidence of a frame, in robust standard deviations, is added up: its own, what the other frames of its
cine agree on, what the other cines of its visit agree on, and what one simple fault explains of the whole visit.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ear_jax.scoring.reference_faults import Fit, Suspicion

LIMIT = 3.0  # robust standard deviations: what is nearer to the others is not suspected of anything
_LEAST_SPREAD = 0.02  # of Dice, standard deviation that references of one level have at least
_SUSPECTS = 0.1  # share of cines whose references may be wrong
_FEWEST = 8  # cines of a level, to know how hard it is
_SHARING = 3  # cines of a visit that can agree on a fault
_OWN_GAIN = 0.05  # of Dice, of one cine: one standard deviation
_GAIN = 0.02  # of Dice, mean over a visit: one standard deviation
_EXPLAINED = 0.6  # share of the Dice that is missing to a usual slice, to be brought back by undoing a fault
_LEAST_GAIN = 0.05
# Of Dice: what a fault must explain more than another with fewer numbers.
_COST = {'shifted': 0.02, 'mirrored or turned': 0.02, 'scaled': 0.05, "another slice's": 0.03}
_FAR = 0.25  # of Dice missing to a usual slice: more than two who draw one heart differ by
NO_FAULT, EMPTY, UNSEEN = '', 'empty', 'no wall found by the network'
FAR, OTHERWISE = "another patient's", 'drawn otherwise'  # no simple fault explains these
COLUMNS: tuple[str, ...] = ('rank', 'subject', 'dataset', 'slice_id', 'frame', 'level')
COLUMNS += ('disagreement', 'score', 'kind', 'detail', 'gain')


def rank(visits: Sequence[Sequence[Suspicion]]) -> pd.DataFrame:
  """Returns one line a frame, the most suspicious first.

  Columns 'rank' (from 1), 'subject', 'dataset', 'slice_id', 'frame', 'level', 'disagreement' (1 - Dice), 'score',
  'kind' of the suspected fault ('' for none), 'detail' (its numbers in words), and 'gain', the Dice that the cine gains
  when the fault is undone (NaN where no simple fault explains it).

  Args:
    visits: what `reference_faults.suspect` found, visit by visit.
  """
  usual = _usual([cine for visit in visits for cine in visit])
  in_common, ordinary = _in_common(visits), _ordinary_gains([cine for visit in visits for cine in visit])
  rows: list[dict[str, Any]] = []
  for visit in visits:
    deviations = [(1 - cine.frame_dice - usual[cine.level][0]) / usual[cine.level][1] for cine in visit]
    of_cines = np.array([np.median(deviation) for deviation in deviations])
    alone = np.array([_own_gain(cine, ordinary) for cine in visit]) / _OWN_GAIN
    together = _shared(visit, in_common)
    suspected = bool(np.median(of_cines) > LIMIT or together > LIMIT) and len(visit) >= _SHARING
    common = _explanation(visit, [cine.shared for cine in visit], usual) if suspected else None
    for cine, deviation, support in zip(visit, deviations, _others(of_cines) + alone, strict=True):
      score = deviation + _others(deviation) + support + together
      kind, fit = _kind(cine, common, bool(score.max() > LIMIT), usual)
      ids = {name: getattr(cine, name) for name in ('subject', 'dataset', 'slice_id', 'level')}
      ids |= {'kind': kind, 'detail': fit.detail if fit else '', 'gain': fit.dice - cine.dice if fit else np.nan}
      numbers = zip(cine.frames, 1 - cine.frame_dice, score, strict=True)
      rows += [ids | {'frame': int(f), 'disagreement': float(d), 'score': float(s)} for f, d, s in numbers]
  table = pd.DataFrame(rows).sort_values('score', ascending=False, kind='stable', ignore_index=True)
  table.insert(0, 'rank', np.arange(1, len(table) + 1))
  return table[list(COLUMNS)]


def first_of_cines(table: pd.DataFrame) -> pd.DataFrame:
  """Returns the highest line of every cine of `rank`, in the same order, with 'rank' counting cines."""
  cines = table.drop_duplicates(['dataset', 'slice_id']).reset_index(drop=True)
  return cines.assign(rank=np.arange(1, len(cines) + 1))


def remarks(visits: Sequence[Sequence[Suspicion]]) -> list[str]:
  """Returns what a reader of the ranking must know of the data set as a whole, a sentence each."""
  sentences = []
  for kind, (gain, _, detail) in _in_common(visits).items():
    if gain > _GAIN:
      how = f' ({detail})' if detail else ''
      sentences.append(
        f'all references alike look {kind}{how}: half of the visits gain {gain:.2f} of Dice or more by undoing it; the '
        'network draws otherwise than the readers, or the whole data set is so'
      )
  unseen = sum(cine.no_prediction and not cine.no_reference for visit in visits for cine in visit)
  if unseen:
    sentences.append(f'in {unseen} cines with a reference the network found no wall at all: their rank says little')
  return sentences


def _usual(cines: Sequence[Suspicion]) -> dict[str, tuple[float, float]]:
  """Median and robust SD of 1 - Dice over frames, by level; of all, for levels with few cines."""
  every = np.concatenate([1 - cine.frame_dice for cine in cines])
  usual = {}
  for level in {cine.level for cine in cines}:
    own = [1 - cine.frame_dice for cine in cines if cine.level == level]
    usual[level] = _median_and_spread(np.concatenate(own) if len(own) >= _FEWEST else every)
  return usual


def _median_and_spread(values: np.ndarray) -> tuple[float, float]:
  middle = float(np.median(values))
  return middle, max(1.4826 * float(np.median(np.abs(values - middle))), _LEAST_SPREAD)


def _others(values: np.ndarray) -> np.ndarray:
  """The median of all other values, at least 0; 0 for a single one."""
  if len(values) < 2:
    return np.zeros(len(values))
  order = np.argsort(values)
  ordered, place = values[order], np.empty(len(values), int)
  place[order] = np.arange(len(values))
  # Without the value at a place, the middle two of the rest lie at these positions of the whole.
  low, high = (len(values) - 2) // 2, (len(values) - 1) // 2
  middle = [ordered[k + (place <= k)] for k in (low, high)]
  return np.maximum((middle[0] + middle[1]) / 2, 0)


def _kinds(visits: Sequence[Sequence[Suspicion]]) -> Iterator[tuple[str, np.ndarray, list[str]]]:
  """Each kind of fault, its mean gain over the cines of every visit that can agree, and its numbers there."""
  agreeing = [visit for visit in visits if len(visit) >= _SHARING]
  for k, kind in enumerate([fit.kind for fit in agreeing[0][0].shared] if agreeing else []):
    gains = np.array([np.mean([cine.shared[k].dice - cine.dice for cine in visit]) for visit in agreeing])
    yield kind, gains, [visit[0].shared[k].detail for visit in agreeing]


class _Common(NamedTuple):
  """What all visits gain by undoing a fault: the median Dice, at least 0, its spread, and the usual numbers."""

  gain: float
  spread: float
  detail: str


def _in_common(visits: Sequence[Sequence[Suspicion]]) -> dict[str, _Common]:
  in_common = {}
  for kind, gains, details in _kinds(visits):
    middle, spread = _median_and_spread(gains)
    in_common[kind] = _Common(
      max(middle, 0.0), spread if middle > _GAIN else _GAIN, max(set(details), key=details.count)
    )
  return in_common


def _shared(visit: Sequence[Suspicion], in_common: dict[str, _Common]) -> float:
  """The evidence of one fault in a visit, in standard deviations: its gain beyond what the visits have in common."""
  common = max((shared.gain for shared in in_common.values()), default=0.0)
  return float(max([0.0] + [(gains[0] - common) / in_common[kind].spread for kind, gains, _ in _kinds([visit])]))


def _ordinary_gains(cines: Sequence[Suspicion]) -> np.ndarray:
  """What nine of ten cines gain at most by undoing each kind of fault, `[kinds]`, at least 0."""
  gains = [[fit.dice - cine.dice for fit in cine.own] for cine in cines]
  return np.maximum(np.quantile(gains, 1 - _SUSPECTS, axis=0), 0)


def _own_gain(cine: Suspicion, ordinary: np.ndarray) -> float:
  """The largest gain of Dice of one cine by one fault, beyond what is ordinary."""
  gains = [fit.dice - cine.dice - usual for fit, usual in zip(cine.own, ordinary, strict=True)]
  return max(0.0, *gains)


def _kind(
  cine: Suspicion, common: tuple[str, int | None] | None, suspected: bool, usual: dict[str, tuple[float, float]]
) -> tuple[str, Fit | None]:
  """The suspected fault of a cine, by what its visit has in common or else by itself."""
  if cine.no_reference != cine.no_prediction and suspected:
    return (EMPTY if cine.no_reference else UNSEEN), None
  if common is not None:
    kind, index = common
    return kind, None if index is None else cine.shared[index]
  if not suspected:
    return NO_FAULT, None
  kind, index = _explanation([cine], [cine.own], usual)
  return kind, None if index is None else cine.own[index]


def _explanation(
  cines: Sequence[Suspicion], fits: Sequence[Sequence[Fit]], usual: dict[str, tuple[float, float]]
) -> tuple[str, int | None]:
  """The kind of fault that explains the disagreement of some cines best, and its place among the fits."""
  now = float(np.mean([cine.dice for cine in cines]))
  missing = float(np.mean([1 - usual[cine.level][0] for cine in cines])) - now
  worth = [float(np.mean([fit.dice for fit in column])) for column in zip(*fits, strict=True)]
  net = [dice - _COST.get(fit.kind, 0.0) for dice, fit in zip(worth, fits[0], strict=True)]
  best = int(np.argmax(net))
  if worth[best] - now < max(_LEAST_GAIN, _EXPLAINED * missing):
    return (FAR if missing > _FAR else OTHERWISE), None
  return fits[0][best].kind, best
