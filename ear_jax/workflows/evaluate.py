"""Scores a trained network on a part of a data set: a checkpoint and a split to numbers, tables and pictures."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import numpy as np
import pandas as pd
from absl import logging

from ear_jax.analysis.motion import Settings
from ear_jax.data.data_set import DataSet, open_data_set, say_window_beyond
from ear_jax.data.splits import Split, make_split
from ear_jax.networks.inference import to_mask
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import Network
from ear_jax.report.evaluation import extremes, write_report
from ear_jax.report.figures import Case
from ear_jax.scoring.agreement_summary import concatenate
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.scoring.segmentation import score
from ear_jax.system.errors import UserError, some
from ear_jax.system.terminal import tracked

_WINDOW = (
  '{0} x {0} pixels at the centre of each picture; `predict` and `evaluate --studies` find the heart, and look there'
)
_DATA = ('data_hash', 'data_content')


def evaluate(
  network: str | os.PathLike,
  output: str | os.PathLike,
  *,
  part: str = 'test',
  checkpoint: str = 'best',
  data_dir: str | None = None,
  other_data: str | None = None,
  allow_training_subjects: bool = False,
  allow_changed_data: bool = False,
) -> dict:
  """Scores one checkpoint on one part of the split and returns what `metrics.json` holds.

  Args:
    network: as `load_network` takes it.
    output: folder to write.
    part: of the split; not used with `other_data`, another data set, all of whose subjects are scored.
    checkpoint: of a run; not used for an exported network.
    data_dir: where the data set is; None: where it was in training.
    allow_training_subjects: scores them too.
    allow_changed_data: scores a data set that has changed since training, with a warning; without `other_data`.

  Raises: UserError when the run, the checkpoint or the data set is missing or has changed, or the part holds training
    subjects.

  >>> summary = ear_jax.evaluate('runs/mine', 'scores')
  >>> 0 <= summary['metrics']['dice']['mean'] <= 1
  True
  """
  output = pathlib.Path(output)
  trained = load_network(network, checkpoint)
  name = other_data or trained.config.data.name
  folder = data_dir or trained.config.data.get('dir', 'data')
  data = open_data_set(trained.config, name=name, folder=folder, flag='--data_dir')
  if other_data:
    say_window_beyond(data, name, trained.config.data.crop)
  else:
    _check_unchanged(trained, data, allow_changed_data)
  part = f'all of {other_data}' if other_data else part
  split = _split_of(trained, data)
  if split is None:
    logging.warning('%s does not say on whom it was trained: perhaps on subjects of %s', network, name)
  if split is None and not other_data:
    raise UserError(
      f'{name} is not the data set as the network was trained on it, so its split cannot be made again: '
      'name the data set by --data, and all of its subjects are scored'
    )
  subjects = data.subjects if split is None or other_data else split.subjects(part)
  known = sorted(set(subjects) & set(split.train)) if split else []
  if known and not allow_training_subjects:
    raise UserError(
      f'the network was trained on {len(known)} of the {len(subjects)} subjects to score (first: {known[0]}): scores '
      f'would be optimistic. Use {"other data" if other_data else "--split=test"}, or --allow_training_subjects'
    )
  records = data.records_of(subjects)
  if not subjects:
    raise UserError(
      f'split {part!r} has no subject (config.split.test_fraction of few subjects rounds to none): score another data '
      'set with --data, or, too optimistic, those of training with --split=train --allow_training_subjects'
    )
  if not records:
    raise UserError(f'no cine of split {part!r} is in {name}: the split has subjects {some(subjects)}')
  scores, curves, masks, settings = [], [], {}, Settings()
  cines = (data.cine(record) for record in records)
  results = trained.predict(cines)
  for cine, probability in tracked(results, f'scoring {part}', len(records)):
    masks[cine.name] = to_mask(probability)
    scores.append(score(cine, masks[cine.name], surface=True))
    curves.append(compare_masks(cine, masks[cine.name], settings=settings))
  rows = pd.concat(scores, ignore_index=True)
  manifest = described(trained) | {'split': part, 'subjects': list(subjects), 'step': trained.step}
  manifest |= {'trained_on': known if split else 'unknown', 'data_hash': data.hash, 'data_content': data.content}
  manifest |= {'data': name, 'tta': trained.config.eval.tta, 'velocity_settings': dataclasses.asdict(settings)}
  manifest |= {'window': _WINDOW.format(trained.config.data.crop)}
  return write_report(output, rows, _cases(data, records, masks, rows), manifest, curves=concatenate(curves))


def described(trained: Network) -> dict:
  """Returns a network's manifest, the hashes of its data under `training_data`: those of what is scored are others."""
  about = dict(trained.manifest)
  return about | {'training_data': {key: about.pop(key) for key in _DATA if key in about}}


def _check_unchanged(trained: Network, data: DataSet, allowed: bool) -> None:
  """Raises UserError where a run's data set is another than in training, or warns where that is allowed.

  Of an exported network the content alone: cines that differ make its split another, see `_split_of`.
  """
  if trained.split is None and trained.manifest['data_hash'] != data.hash:
    return
  here = dict(zip(_DATA, (data.hash, data.content), strict=True))
  changed = {key: (was, now) for key, now in here.items() if (was := trained.manifest.get(key, now)) != now}
  if not changed:
    return
  what = 'cines' if 'data_hash' in changed else 'pixels or contours in the same cines'
  gone = sorted(set(trained.split.subjects('all')) - set(data.subjects)) if trained.split else []
  said = f'the data set in {data.folder} holds other {what} than {trained.name} was trained on ('
  said += ', '.join(f'{key} was {was} and is {now}' for key, (was, now) in changed.items()) + ')'
  said += f', and lacks subjects {some(gone)}' * bool(gone)
  if not allowed:
    raise UserError(
      f'{said}: bring the old one back (--data_dir says where it is), or score it as it is with --allow_changed_data'
    )
  logging.warning('%s', said)


def _split_of(trained: Network, data: DataSet) -> Split | None:
  """Returns the split that a network was trained by; None where an exported network met another data set.

  Raises UserError when the split of its run cannot be made again from this data set and configuration.
  """
  if trained.split is not None or data.hash != trained.manifest['data_hash']:
    return trained.split
  split = make_split(data.subjects, trained.config.split)
  if split.hash != trained.manifest['split_hash']:
    name = trained.config.data.name
    raise UserError(f'{trained.name}: its split of {name} cannot be made again: evaluate its run')
  return split


def _cases(data: DataSet, records: list[int], masks: dict[str, np.ndarray], rows: pd.DataFrame) -> Iterator[Case]:
  """Yields pictures of the best, median and worst cine, reading only those again."""
  wanted = {name for name, _ in extremes(rows).values()}
  for record in records:
    _, dataset, slice_id, _ = data.ids[record]
    if f'{dataset}/{slice_id}' in wanted:
      cine = data.cine(record)
      yield Case(cine, masks[cine.name])
