"""From the results of the jobs to two tables: a line a subject, and a line a run."""

import json
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ear_jax.ablations.grid import Job
from ear_jax.system.errors import UserError

TEST, VALIDATION = 'test', 'cross-validation'
_IDS = ['part', 'cell', 'seed', 'fold', 'subject']
_COSTS = ('minutes', 'peak_memory_gb', 'gpu_memory_gb')


def read_results(jobs: Iterable[Job], folder: pathlib.Path) -> dict[str, dict]:
  """Returns the results that are there, by the name of the job.

  Raises:
    UserError: runs were trained, or ensembles scored, on different data.
  """
  results: dict[str, dict] = {}
  seen: dict[bool, dict] = {}
  for job in jobs:
    path = folder / job.name / 'result.json'
    if path.exists():
      result = results[job.name] = json.loads(path.read_text())
      other = seen.setdefault(job.fold is None, result)
      if result['data_hash'] != other['data_hash']:
        raise UserError(
          f'{result["name"]} and {other["name"]} are of different data sets: remove the folder of the older one in '
          f'{folder}, or use a new --workdir'
        )
  return results


def subject_table(results: Mapping[str, dict]) -> pd.DataFrame:
  """Returns one line a subject and network: part, cell, seed, fold, subject, then its means of all metrics.

  Part 'cross-validation': each subject outside the test set, by the network that was not trained on it, or by those of
  all seeds together. Part 'test': each test subject, by the mean of the networks of all folds; its fold is -1.
  """
  lines = []
  for result in results.values():
    whole = result['fold'] is None
    ids = {'part': TEST if whole else VALIDATION, 'cell': result['cell'], 'seed': result['seed']}
    ids['fold'] = -1 if whole else result['fold']
    lines += [ids | line for line in result['subjects']]
  table = pd.DataFrame(lines, columns=None if lines else _IDS)
  metrics = [name for name in table.columns if name not in _IDS]
  return table[_IDS + metrics].astype(dict.fromkeys(metrics, float))


def run_table(results: Mapping[str, dict]) -> pd.DataFrame:
  """Returns one line a trained network: what it is, what it cost, and on how many devices."""
  kept = ('parameters', 'seconds_per_step', 'training_minutes')
  lines = [
    {key: result[key] for key in ('name', 'cell', 'seed', 'fold')}
    | {'step': result['steps'][0], 'devices': len(result['devices'])}
    | {key: result[key] for key in kept}
    | {key: result['cost'][key] for key in _COSTS}
    for result in results.values()
    if 'parameters' in result
  ]
  table = pd.DataFrame(lines)
  return table.astype({'gpu_memory_gb': float}) if lines else table


def complete_cells(jobs: Iterable[Job], results: Mapping[str, dict], part: str) -> list[str]:
  """Returns the cells of which every job of a part is done: means over fewer subjects compare with nothing."""
  wanted = [job for job in jobs if (job.fold is None) == (part == TEST)]
  missing = {job.cell for job in wanted if job.name not in results}
  return [cell for cell in dict.fromkeys(job.cell for job in wanted) if cell not in missing]


def part_of(results: Mapping[str, dict], part: str) -> list[dict]:
  """Returns the results of a part."""
  return [result for result in results.values() if (result['fold'] is None) == (part == TEST)]


def over_seeds(table: pd.DataFrame, metric: str, names: Iterable[str]) -> pd.DataFrame:
  """Returns a metric of one part of `subject_table` as subjects by cells, averaged over seeds, cells as in `names`.

  A seed in which it is undefined for a subject makes the subject's mean undefined (NaN).
  """
  chosen = table[table['cell'].isin(list(names))]
  means = chosen.groupby(['subject', 'cell'])[metric].agg(lambda values: values.mean(skipna=False)).unstack()
  return means.reindex(columns=list(names))


def spread_over_seeds(table: pd.DataFrame, metric: str, cell: str) -> float:
  """Returns the SD over seeds of the mean over subjects of one part of `subject_table`; NaN for one seed."""
  means = table[table['cell'] == cell].groupby('seed')[metric].mean()
  return float(means.std(ddof=1)) if len(means) > 1 else np.nan
