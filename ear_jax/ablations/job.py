"""One job of a grid, in a process of its own: trains a network and scores it, or scores the networks of all folds.

Everything lies in the folder of the job: `job.json` says what to do, `run/` is the working directory of training,
`frames.csv` and `curves.csv` have the scores of every frame and cine, and `result.json` comes last: where it is, the
job is done.
"""

import itertools
import json
import pathlib
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd
from absl import logging
from ml_collections import ConfigDict

from ear_jax.ablations.grid import Job
from ear_jax.analysis.motion import COMPONENTS
from ear_jax.cine import Cine
from ear_jax.data.data_set import DataSet, open_data_set
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.networks.inference import make_predictor, myocardium, to_mask
from ear_jax.networks.load import load_run, restore_state
from ear_jax.report.tables import per_frame_table, strict_json
from ear_jax.scoring.aggregate import count_cases, hierarchy
from ear_jax.scoring.agreement_summary import Rows, concatenate, subject_means
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.scoring.segmentation import score
from ear_jax.system import cli
from ear_jax.system.clock import Clock
from ear_jax.system.csv_files import write_csv
from ear_jax.system.errors import UserError, some
from ear_jax.system.files import write_text
from ear_jax.system.lock import only_writer
from ear_jax.training.log import read_metrics
from ear_jax.workflows.train import train_and_evaluate

_CURVES = ('rmse', 'r')


def run(folder: pathlib.Path) -> None:
  """Does the job in `folder` unless it is done; a training run that was cut off goes on from its checkpoint.

  Raises:
    UserError: another process is at it; or as `train_and_evaluate`.
  """
  logging.use_absl_handler()  # what absl's own start does for a command
  cli.set_up_logging()
  with only_writer(folder):
    if (folder / 'result.json').exists():
      return
    job, clock = Job(**json.loads((folder / 'job.json').read_text())), Clock()
    config = ConfigDict(job.config)
    cli.request_cpu_devices(config.batch_size, config.cpu_devices)
    with clock.measure('job'):
      score = _together(job, config, folder) if job.members else _train(job, config, folder, clock)
    said = {'name': job.name, 'cell': job.cell, 'seed': job.seed, 'fold': job.fold, 'cost': _cost(clock)}
    write_text(folder / 'result.json', strict_json(said | score))


def _train(job: Job, config: ConfigDict, folder: pathlib.Path, clock: Clock) -> dict:
  """Trains on all folds but one and scores that one."""
  workdir = folder / 'run'
  with clock.measure('training'):
    train_and_evaluate(config, workdir)
  data, (_, split) = open_data_set(config), load_run(workdir)
  score = _score(data, split.validation, config, [_restore(workdir, job)], folder)
  manifest = json.loads((workdir / 'manifest.json').read_text())
  kept = ('parameters', 'data_hash', 'split_hash', 'devices', 'ear_jax')
  # Of all steps, validations not counted; also of a run that was cut off and resumed.
  pace = statistics.median(line['seconds_per_step'] for line in read_metrics(workdir) if 'seconds_per_step' in line)
  score |= {'seconds_per_step': pace, 'training_minutes': pace * config.steps / 60}
  return score | {key: manifest[key] for key in kept}


def _together(job: Job, config: ConfigDict, folder: pathlib.Path) -> dict:
  """Scores the mean probability of some networks on the test subjects, or on the fold that none of them has seen.

  Raises:
    UserError: one of them was trained on a subject that is to be scored.
  """
  workdirs = [folder.parent / member / 'run' for member in job.members]
  splits = [load_run(workdir)[1] for workdir in workdirs]
  data = open_data_set(config, name=job.test_data)
  subjects = splits[0].test if job.fold is None else splits[0].validation
  subjects = data.subjects if job.test_data else subjects
  if known := sorted({subject for split in splits for subject in split.train} & set(subjects)):
    raise UserError(
      f'{job.test_data or config.data.name} has subjects {some(known)}, which the networks were trained on'
    )
  return _score(data, subjects, config, [_restore(w, job) for w in workdirs], folder) | {'data_hash': data.hash}


def _restore(workdir: pathlib.Path, job: Job) -> tuple[dict, int]:
  """Variables of a trained network, and their step."""
  config, _ = load_run(workdir)
  placement = Placement(jax.local_devices())
  state = restore_state(config, workdir, job.checkpoint, placement)
  return placement.replicate(state.variables), int(state.step)


def _score(data: DataSet, subjects: Iterable[str], config: ConfigDict, networks: list, folder: pathlib.Path) -> dict:
  """Writes the scores of some subjects and returns them averaged to one line a subject."""
  placement = Placement(jax.local_devices())
  predictor = make_predictor(myocardium(build_model(config.model)), config, placement)
  records = data.records_of(tuple(subjects))
  scores, curves = [], []
  cines = (data.cine(record) for record in records)
  results = averaged(predictor, [variables for variables, _ in networks], cines, len(placement.devices))
  for number, (cine, probability) in enumerate(results, 1):
    mask = to_mask(probability)
    scores.append(score(cine, mask, surface=True))
    curves.append(compare_masks(cine, mask))
    logging.info('scored %d of %d', number, len(records))
  frames, agreement = pd.concat(scores, ignore_index=True), concatenate(curves)
  write_csv(folder / 'frames.csv', per_frame_table(frames))
  write_csv(folder / 'curves.csv', agreement.curves)
  return {'steps': [step for _, step in networks]} | _by_subject(frames, agreement)


def averaged(
  predictor: Callable[[Any, list[Cine]], Iterable], members: list, cines: Iterable[Cine], at_once: int
) -> Iterator[tuple[Cine, np.ndarray]]:
  """Yields each cine with the mean probability of some networks, float32 `[T, H, W]`.

  Args:
    predictor: as `make_predictor` returns it.
    members: variables of each network.
    cines: any number; `at_once` of them are held.
  """
  cines = iter(cines)
  while group := list(itertools.islice(cines, at_once)):
    each = [[probability for _, probability in predictor(variables, group)] for variables in members]
    yield from zip(group, (np.mean(p, axis=0, dtype=np.float32) for p in zip(*each, strict=True)), strict=True)


def _by_subject(frames: pd.DataFrame, agreement: Rows) -> dict:
  """Returns `subjects` (a line each: metrics, and errors of the global velocity curves) and what was counted."""
  table = hierarchy(frames).subjects.set_index('subject')
  cines = {'expected': 0, 'failed': 0}
  if len(agreement.curves):
    statuses = agreement.curves.drop_duplicates(['dataset', 'slice_id'])['status']
    cines = {'expected': len(statuses), 'failed': int((statuses == 'failed').sum())}
    sound = agreement.curves[agreement.curves['status'] != 'failed']
    for component in COMPONENTS:
      lines = sound[sound['component'] == component]
      for name in _CURVES:
        table[f'{name}_{component}'] = subject_means(lines, [name])[name]
  plain = table.reset_index().astype(object)
  return {
    'subjects': plain.where(plain.notna(), None).to_dict('records'),
    'frames': count_cases(frames),
    'curves': cines,
    'distance_unit': str(frames['distance_unit'].iloc[0]),
  }


def _cost(clock: Clock) -> dict:
  """Minutes and memory of this process; `gpu_memory_gb` is the largest of a device, None without one."""
  table = clock.table()
  peaks = [(device.memory_stats() or {}).get('peak_bytes_in_use') or 0 for device in jax.local_devices()]
  return {
    'minutes': table['job']['seconds'] / 60,
    'peak_memory_gb': table.get('training', table['job'])['peak_memory_gb'],
    'gpu_memory_gb': max(peaks) / 1e9 if all(peaks) else None,
  }
