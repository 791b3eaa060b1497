"""From the configuration of a grid to its jobs: pure, the same jobs with the same names every time.

A *cell* is one combination of the axes' values. Each cell is trained once a seed and fold; the networks of its folds
then segment the test subjects together, which is a job of its own. Besides fields of the experiment there may be an
axis of *variants*: sets of changes with a name, the first of which the others are compared with. And a grid of several
seeds may score their networks together as well, as one: each cell then has a twin.
"""

import dataclasses
import hashlib
import itertools
import json
from typing import Any

from ml_collections import ConfigDict

from ear_jax.config.fields import CIRCUMSTANCES, field_fault
from ear_jax.scoring.segmentation import METRICS
from ear_jax.system.errors import UserError, nearest

NETWORKS, SINGLE, TOGETHER = 'networks', 'single', 'together'  # an axis: each seed on its own, or all as one
VARIANT = 'variant'  # the axis whose values are names of sets of changes
_SHARED = ('seed', 'data.name')  # and all of the split
_HASH = 8  # hexadecimal digits
_FIELDS = (
  'base', 'changes', 'grid', 'variants', 'columns', 'folds', 'seeds', 'together', 'checkpoint', 'test_data', 'metric',
  'launcher', 'launcher.executor', 'launcher.at_once', 'launcher.cpu_devices', 'launcher.gpus', 'launcher.slurm',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Cell:
  """One combination of values.

  Attributes:
    name: unique, fit for a file name.
    row, column: labels in the tables, as values of the axes; the column is '' in a grid without that axis.
    values: (axis, value) of every axis.
  """

  name: str
  row: tuple[tuple[str, Any], ...]
  column: Any
  values: tuple[tuple[str, Any], ...]


@dataclasses.dataclass(frozen=True)
class Job:
  """One piece of work that leaves one result.

  Attributes:
    name: unique; ends in a hash of all that decides the result, so that a changed grid starts jobs of its own.
    cell: name of the cell.   seed: of the run.
    fold: that is scored; None: an ensemble of all folds scores the test subjects.
    config: the whole configuration of the run (of an ensemble: that of its first member).
    checkpoint: which one is scored.
    members: names of the jobs whose networks an ensemble averages; without any, the job trains a network.
    test_data: data set an ensemble is scored on; '': the test subjects of the split.
  """

  name: str
  cell: str
  seed: int
  fold: int | None
  config: dict
  checkpoint: str
  members: tuple[str, ...] = ()
  test_data: str = ''


def axes(grid: ConfigDict) -> dict[str, tuple]:
  """Returns the axes of a grid, dotted field to its values; the axis across the tables is the last.

  Raises:
    UserError: there is none, one has no or repeated values, or one is a field that the grid itself sets.
  """
  varied = leaves(grid.grid)
  if grid.variants:
    varied[VARIANT] = tuple(name for name, _ in grid.variants)
  for name, values in varied.items():
    if not isinstance(values, tuple) or not values:
      raise UserError(f'config.grid.{name} is {values!r}: give a tuple of values, such as (1, 4)')
    if any(isinstance(value, str) and ',' in value for value in values):
      raise UserError(f"config.grid.{name} is {values}: put quotes around each name, as in \"('dice','dice_iou')\"")
    if len(set(map(str, values))) < len(values):
      raise UserError(f'config.grid.{name} names a value twice: {values}')
    _check_differs_by(f'grid.{name}', name)
  for variant, settings in grid.variants:
    for name in leaves(ConfigDict(settings)):
      _check_differs_by(f'variants.{variant}.{name}', name)
  if not varied:
    raise UserError('config.grid is empty, and so is config.variants: give at least one axis')
  if grid.together:
    varied[NETWORKS] = (SINGLE, TOGETHER)
  last = grid.columns
  if last and last not in varied:
    raise UserError(f"config.columns is {last!r}, which is no axis: choose one of {', '.join(varied)}, or ''")
  return {name: varied[name] for name in sorted(varied, key=lambda name: name == last)}


def _check_differs_by(where: str, field: str) -> None:
  if field in _SHARED or field.startswith('split.'):
    raise UserError(f'config.{where} cannot be an axis: seeds, folds and data are the same for every cell')


def cells(grid: ConfigDict) -> list[Cell]:
  """Returns the combinations of all axes, in the order of their values."""
  names, values = zip(*axes(grid).items(), strict=True)
  combinations = []
  for chosen in itertools.product(*values):
    pairs = tuple(zip(names, chosen, strict=True))
    row, column = (pairs[:-1], chosen[-1]) if grid.columns else (pairs, '')
    name = '-'.join(_word(*pair) for pair in pairs if pair != (NETWORKS, SINGLE))
    combinations.append(Cell(name, row, column, pairs))
  return combinations


def jobs(grid: ConfigDict, base: ConfigDict) -> list[Job]:
  """Returns all jobs of a grid: fold by fold all cells, so that an early stop leaves whole folds, then the ensembles.

  Args:
    grid: as `configs/ablation.py` returns it.
    base: the experiment that it names.

  Raises:
    UserError: the experiment lacks a field, a value has a wrong type, or a count cannot be.
  """
  _check(grid)
  twins = {cell.name: twin.name for cell, twin in _twins(cells(grid))}
  single = [cell for cell in cells(grid) if cell.name not in twins.values()]
  runs = [_run(grid, base, cell, seed, fold) for seed in grid.seeds for fold in range(grid.folds) for cell in single]
  groups: list[tuple[str, int | None, list[Job]]] = [
    (twin, fold, [run for run in runs if (run.cell, run.fold) == (name, fold)])
    for fold in range(grid.folds)
    for name, twin in twins.items()
  ]
  if runs[0].config['split']['test_fraction'] != 0 or grid.test_data:
    groups += [
      (cell.name, None, [run for run in runs if (run.cell, run.seed) == (cell.name, seed)])
      for seed in grid.seeds
      for cell in single
    ]
    groups += [(twin, None, [run for run in runs if run.cell == name]) for name, twin in twins.items()]
  return runs + [_ensemble(grid, *group) for group in groups]


def experiment(grid: ConfigDict, base: ConfigDict, cell: Cell) -> ConfigDict:
  """Returns the configuration that the runs of a cell share."""
  config = base.copy_and_resolve_references()
  config.lock()
  chosen = leaves(grid.changes)
  for name, value in cell.values:
    if name == NETWORKS:
      continue
    chosen |= leaves(ConfigDict(dict(grid.variants)[value])) if name == VARIANT else {name: value}
  for name, value in chosen.items():
    _set(config, name, value)
  config.cpu_devices = grid.launcher.cpu_devices
  return config


def _run(grid: ConfigDict, base: ConfigDict, cell: Cell, seed: int, fold: int) -> Job:
  config = experiment(grid, base, cell)
  config.seed, config.split.folds, config.split.fold = seed, grid.folds, fold
  content = json.loads(config.to_json())
  digest = _digest({'config': _essence(content), 'checkpoint': grid.checkpoint})
  return Job(f'{cell.name}-seed{seed}-fold{fold}-{digest}', cell.name, seed, fold, content, grid.checkpoint)


def _ensemble(grid: ConfigDict, cell: str, fold: int | None, runs: list[Job]) -> Job:
  first, members = runs[0], tuple(run.name for run in runs)
  test_data = grid.test_data if fold is None else ''
  digest = _digest({'members': members, 'test_data': test_data})
  part = 'test' if fold is None else f'fold{fold}'
  name = f'{cell}-seed{first.seed}-{part}-{digest}'
  return Job(name, cell, first.seed, fold, first.config, grid.checkpoint, members, test_data)


def _twins(cells: list[Cell]) -> list[tuple[Cell, Cell]]:
  """Pairs of cells that differ in whether their networks are scored one by one or together."""
  others = lambda cell: [pair for pair in cell.values if pair[0] != NETWORKS]  # noqa: E731
  together = [cell for cell in cells if (NETWORKS, TOGETHER) in cell.values]
  return [(cell, twin) for twin in together for cell in cells if cell is not twin and others(cell) == others(twin)]


def _check(grid: ConfigDict) -> None:
  for name in (*grid, *(f'launcher.{name}' for name in grid.launcher)):
    if name not in _FIELDS:
      raise UserError(f'config.{name} is no field of a grid{nearest(name, _FIELDS)} (configs/ablation.py has them all)')
  if grid.folds < 2:
    raise UserError(f'config.folds is {grid.folds}: cross-validation needs 2 or more')
  if not grid.seeds or len(set(grid.seeds)) < len(grid.seeds):
    raise UserError(f'config.seeds is {grid.seeds}: give one or more different numbers')
  if grid.together and len(grid.seeds) < 2:
    raise UserError(f'config.together is True, and config.seeds is {grid.seeds}: give two or more')
  known = (*METRICS, 'cine_dice', 'volume_dice')
  if grid.metric not in known:
    raise UserError(f'config.metric is {grid.metric!r}: choose one of {", ".join(known)}')
  if grid.checkpoint not in ('best', 'latest'):
    raise UserError(f"config.checkpoint is {grid.checkpoint!r}: choose 'latest' or 'best'")


def leaves(config: ConfigDict, prefix: str = '') -> dict[str, Any]:
  """Returns everything in a configuration, dotted field to value."""
  values: dict[str, Any] = {}
  for key, value in config.items():
    values |= leaves(value, f'{prefix}{key}.') if isinstance(value, ConfigDict) else {prefix + key: value}
  return values


def _set(config: ConfigDict, name: str, value: Any) -> None:
  *sections, field = name.split('.')
  if rule := field_fault(config, name):
    raise UserError(f'the experiment does not take {name} = {value!r}: {rule}')
  try:
    for section in sections:
      config = config[section]
    config[field] = value
  except TypeError as fault:
    reason = ' '.join(str(fault).strip('"\'').split())
    raise UserError(f'the experiment does not take {name} = {value!r}: {reason}') from None


def _word(axis: str, value: Any) -> str:
  """'unet3d' for a name, 'channels=4' for anything that does not speak for itself."""
  text = 'x'.join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
  text = ''.join(c if c.isalnum() or c in '._+' else '_' for c in text)
  return text if axis.endswith('.name') or axis in (VARIANT, NETWORKS) else f'{axis.rsplit(".", 1)[-1]}={text}'


def _essence(content: dict, prefix: str = '') -> dict:
  """The configuration without circumstances: a moved data set does not make its result another."""
  return {
    key: _essence(value, f'{prefix}{key}.') if isinstance(value, dict) else value
    for key, value in content.items()
    if prefix + key not in CIRCUMSTANCES
  }


def _digest(content: dict) -> str:
  return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH]
