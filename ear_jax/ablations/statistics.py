"""Which cells differ, and whether their order would be the same on other subjects: over subjects, never frames.

The family of comparisons follows from the grid alone, before any result is seen. Its p values are corrected together.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ear_jax.ablations.grid import VARIANT, Cell
from ear_jax.scoring.segmentation import DISTANCES
from ear_jax.scoring.statistics import compare, holm
from ear_jax.system.errors import UserError

RESAMPLES = 10_000


def lower_is_better(metric: str) -> bool:
  """Returns whether a metric is an error."""
  return metric in DISTANCES or metric.startswith('rmse')


def family(cells: Sequence[Cell]) -> list[tuple[str, str]]:
  """Returns the pairs of cells that differ in exactly one axis, the later first; of variants those with the first."""
  reference = {value for axis, value in cells[0].values if axis == VARIANT} if cells else set()
  pairs = []
  for first, second in itertools.combinations(cells, 2):
    differing = [a for a, b in zip(first.values, second.values, strict=True) if a != b]
    if len(differing) == 1 and (differing[0][0] != VARIANT or differing[0][1] in reference):
      pairs.append((second.name, first.name))
  return pairs


def comparisons(values: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> list[dict]:
  """Returns `statistics.compare` of each pair with 'first', 'second' and 'holm', the p corrected for all of them.

  Args:
    values: `[subjects, cells]`; pairs with a cell that is not there are left out.
    pairs: as `family` returns them.

  Raises:
    UserError: two cells were scored on different subjects.
  """
  there = [pair for pair in pairs if set(pair) <= set(values.columns)]
  rows = []
  for first, second in there:
    try:
      result = compare(values[first].dropna().to_dict(), values[second].dropna().to_dict())
    except ValueError as fault:
      raise UserError(f'{first} and {second} cannot be compared: {fault}') from fault
    rows.append({'first': first, 'second': second} | result)
  adjusted = holm({f'{line["first"]} {line["second"]}': line['p'] for line in rows})
  return [line | {'holm': p} for line, p in zip(rows, adjusted.values(), strict=True)]


def ranking(values: pd.DataFrame, *, lower: bool, seed: int = 0) -> pd.DataFrame:
  """Returns how often each cell has each rank by its mean when subjects are drawn again with replacement.

  Args:
    values: `[subjects, cells]`, all defined.
    lower: whether a lower mean ranks first.
    seed: of the bootstrap.

  Returns:
    `[cells, ranks]`, the lowest mean rank first, shares that add to 1 along a line; equal means share the better rank.
  """
  scores = values.to_numpy() * (-1 if lower else 1)
  drawn = np.random.default_rng(seed).integers(len(scores), size=(RESAMPLES, len(scores)))
  means = np.stack([scores[draw].mean(0) for draw in drawn])  # [resamples, cells]
  # Sums in another order differ by rounding; equal scores must stay equal.
  ranks = (means[:, None, :] > means[:, :, None] + 1e-12).sum(-1)  # [resamples, cells], 0 is the first
  shares = np.stack([(ranks == rank).mean(0) for rank in range(scores.shape[1])], axis=1)  # [cells, ranks]
  table = pd.DataFrame(shares, index=values.columns, columns=range(1, scores.shape[1] + 1))
  return table.loc[table.mul(table.columns).sum(axis=1).sort_values(kind='stable').index]
