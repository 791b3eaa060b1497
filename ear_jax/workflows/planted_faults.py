"""Measures how well an audit finds faults: known faults are put into correct references, and their ranks are counted.

The networks are not trained anew: they are those that would meet a few wrong references among many sound ones, had they
been trained without these.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from ear_jax.scoring.audit import first_of_cines, rank
from ear_jax.scoring.reference_faults import VIEWS, Pair, Suspicion, cavity_and_filled, overlap, scaled, suspect, turned
from ear_jax.system.errors import UserError
from ear_jax.system.table import DASH, Table

SHIFTS = (5, 16)  # pixels, the least and the largest
CHANGED = 0.85  # Dice of planted and sound reference below which a person would call it a fault (docs/evaluation.md)
PERSONS = 2  # whose references get a fault in a draw
_TOP = 0.1

Visits = Sequence[Sequence[Pair]]
# A fault returns the references of a visit with the fault, `[F, H, W]` each, from the visit's index among all visits.
Fault = Callable[[Visits, int, np.random.Generator], list[np.ndarray]]


def _shifted(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(*SHIFTS)
  step = (0, round(far * math.sin(angle)), round(far * math.cos(angle)))
  return [ndimage.shift(pair.reference.astype(np.uint8), step, order=0) > 0 for pair in visits[index]]


def _turned(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  square = all(pair.reference.shape[1] == pair.reference.shape[2] for pair in visits[index])
  views = [view for view in VIEWS if square or view[1] % 2 == 0]
  view = views[rng.integers(len(views))]
  return [turned(pair.reference, view) for pair in visits[index]]


def _scaled(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  scale = float(rng.choice([0.75, 1.3]))
  return [scaled(pair.reference, scale) for pair in visits[index]]


def _another_persons(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  mine = visits[index]
  others = [visit for visit in visits if visit[0].subject != mine[0].subject and _alike(visit[0], mine[0])]
  other = others[rng.integers(len(others))]
  slices = np.rint(np.linspace(0, len(other) - 1, len(mine))).astype(int)
  return [other[k].reference for k in slices]


def _alike(first: Pair, second: Pair) -> bool:
  return first.reference.shape == second.reference.shape


def _another_slices(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  drawn = [pair.reference for pair in visits[index]]
  if rng.random() < 0.5:
    return drawn[::-1]
  step = int(rng.choice([2, -2]))
  return [drawn[min(max(k + step, 0), len(drawn) - 1)] for k in range(len(drawn))]


def _cavity(visits: Visits, index: int, _: np.random.Generator) -> list[np.ndarray]:
  return [cavity_and_filled(pair.reference)[0] for pair in visits[index]]


def _filled(visits: Visits, index: int, _: np.random.Generator) -> list[np.ndarray]:
  return [cavity_and_filled(pair.reference)[1] for pair in visits[index]]


def _half(visits: Visits, index: int, rng: np.random.Generator) -> list[np.ndarray]:
  angle, halves = rng.uniform(0, 2 * math.pi), []
  for pair in visits[index]:
    rows, columns = np.indices(pair.reference.shape[1:])
    row, column = np.argwhere(pair.reference.any(0)).mean(0) if pair.reference.any() else (0.0, 0.0)
    halves.append(pair.reference & ((rows - row) * math.sin(angle) + (columns - column) * math.cos(angle) > 0))
  return halves


def _empty(visits: Visits, index: int, _: np.random.Generator) -> list[np.ndarray]:
  return [np.zeros_like(pair.reference) for pair in visits[index]]


FAULTS: Mapping[str, Fault] = {  # by the kind that the audit should name
  'shifted': _shifted,
  'mirrored or turned': _turned,
  'scaled': _scaled,
  "another patient's": _another_persons,
  "another slice's": _another_slices,
  'cavity in place of the wall': _cavity,
  'cavity filled': _filled,
  'part of the ring missing': _half,
  'empty': _empty,
}


def plant(visits: Visits, kind: str, index: int, rng: np.random.Generator) -> list[Pair]:
  """Returns one of the visits with a fault in all of its references."""
  changed = FAULTS[kind](visits, index, rng)
  return [pair._replace(reference=reference) for pair, reference in zip(visits[index], changed, strict=True)]


def require_enough(subjects: int, persons: int = PERSONS) -> None:
  """Raises UserError where a tenth of the subjects could not hold those with planted faults."""
  if subjects < persons / _TOP:
    raise UserError(
      f'{subjects} subjects: {persons} with planted faults do not fit into a tenth: audit {persons * 10} or more, or '
      'leave --plant out'
    )


def measure(visits: Visits, *, draws: int, seed: int = 0, persons: int = PERSONS) -> dict[str, dict[str, float | None]]:
  """Returns for each kind of fault how many planted ones rank in the top tenth of the cines: means over all draws.

  A draw plants one kind into every visit of `persons` subjects, and then, as another trial, into one cine of each.
  Shares, None where there is nothing to count: 'in_top_tenth' of the planted cines; 'of_subjects' whose cines' median
  score is in the top tenth of the subjects; 'changed' cines, whose planted reference has a Dice below `CHANGED` to the
  sound one (to turn a ring about its middle changes little), of these 'changed_in_top_tenth' and 'kind_named' rightly;
  'one_cine_in_top_tenth' of single, changed cines. 'cines' is how many were planted.

  Raises: UserError as `require_enough`.
  """
  subjects = sorted({visit[0].subject for visit in visits})
  require_enough(len(subjects), persons)
  sound = [suspect(visit) for visit in visits]
  results: dict[str, dict[str, float | None]] = {}
  for kind in FAULTS:
    trials = []
    for draw in range(draws):
      rng = np.random.default_rng((seed, draw, list(FAULTS).index(kind)))
      chosen = rng.choice(subjects, persons, replace=False)
      trials.append(_trial(visits, sound, kind, [k for k, v in enumerate(visits) if v[0].subject in chosen], rng))
    joined = {name: np.concatenate([trial[name] for trial in trials]) for name in trials[0]}
    results[kind] = {name: float(np.mean(values)) if len(values) else None for name, values in joined.items()}
    results[kind]['cines'] = len(joined['in_top_tenth'])
  return results


def _trial(
  visits: Visits, sound: Sequence[list[Suspicion]], kind: str, chosen: Sequence[int], rng: np.random.Generator
) -> dict[str, np.ndarray]:
  planted = {index: plant(visits, kind, index, rng) for index in chosen}
  ranked = first_of_cines(rank([suspect(planted[k]) if k in planted else sound[k] for k in range(len(visits))]))
  ranks, kinds = _by_cine(ranked, 'rank'), _by_cine(ranked, 'kind')
  pairs = [(before, after) for index in chosen for before, after in zip(visits[index], planted[index], strict=True)]
  keys = [(before.dataset, before.slice_id) for before, _ in pairs]
  top = math.ceil(_TOP * len(ranked))
  within = np.array([ranks[key] <= top for key in keys])
  changed = np.array([overlap(before.reference, after.reference) < CHANGED for before, after in pairs])
  of_subjects = ranked.groupby('subject')['score'].median().sort_values(ascending=False)
  highest = list(of_subjects.index[: math.ceil(_TOP * len(of_subjects))])
  return {
    'in_top_tenth': within,
    'changed': changed,
    'changed_in_top_tenth': within[changed],
    'kind_named': np.array([kinds[key] == kind for key in keys])[changed],
    'of_subjects': np.array([visits[index][0].subject in highest for index in chosen]),
    'one_cine_in_top_tenth': _one_cine_each(visits, sound, planted, rng),
  }


def _by_cine(ranked: pd.DataFrame, column: str) -> dict[tuple[str, str], Any]:
  return dict(zip(zip(ranked['dataset'], ranked['slice_id'], strict=True), ranked[column], strict=True))


def _one_cine_each(
  visits: Visits, sound: Sequence[list[Suspicion]], planted: Mapping[int, list[Pair]], rng: np.random.Generator
) -> np.ndarray:
  """Whether a cine ranks in the top tenth where it alone of its visit has the fault; changed ones only."""
  mixed, keys = {}, []
  for index, faulty in planted.items():
    changed = [
      k
      for k, (a, b) in enumerate(zip(visits[index], faulty, strict=True))
      if overlap(a.reference, b.reference) < CHANGED
    ]
    if changed:
      k = int(rng.choice(changed))
      mixed[index] = suspect([*visits[index][:k], faulty[k], *visits[index][k + 1 :]])
      keys.append((faulty[k].dataset, faulty[k].slice_id))
  ranked = first_of_cines(rank([mixed.get(k, sound[k]) for k in range(len(visits))]))
  ranks = _by_cine(ranked, 'rank')
  return np.array([ranks[key] <= math.ceil(_TOP * len(ranked)) for key in keys], bool)


def to_table(results: Mapping[str, Mapping[str, float | None]]) -> Table:
  """Returns the table of `measure`."""
  columns = ['in_top_tenth', 'of_subjects', 'changed', 'changed_in_top_tenth', 'kind_named', 'one_cine_in_top_tenth']
  rows = [
    [kind, str(entry['cines']), *(_percent(entry[column]) for column in columns)] for kind, entry in results.items()
  ]
  header = ['planted', 'cines', 'in top tenth', 'subjects', 'changed', 'of these', 'named', 'one alone']
  return Table('Planted faults, % in the top tenth of the ranking (docs/audit.md)', header, rows)


def _percent(share: float | None) -> str:
  return DASH if share is None else f'{100 * share:.1f}'
