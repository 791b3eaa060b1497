"""Checks every run of a grid before the first starts: else a misspelt value would be found after all the others."""

import json
from collections.abc import Iterable

import jax
from absl import logging
from ml_collections import ConfigDict

from ear_jax.ablations.grid import Job
from ear_jax.config.fields import check_config
from ear_jax.data.data_set import open_data_set, open_further_sets
from ear_jax.data.splits import make_split
from ear_jax.devices.placement import Placement
from ear_jax.system.errors import UserError
from ear_jax.training.program import make_program


def rehearse(jobs: Iterable[Job]) -> None:
  """Opens the data of some jobs, deals their folds and makes their networks; nothing is compiled.

  Raises: UserError, naming the cell, for what would end a run of it before its first step.
  """
  jobs = list(jobs)
  if not jobs:
    return
  logging.info('looking at the runs before the first starts')
  jax.config.update('jax_platforms', 'cpu')  # of this process: a cluster's front end may lack the GPUs of its jobs
  opened: dict[str, set[str]] = {}
  seen: set[str] = set()
  for job in jobs:
    config = ConfigDict(job.config)
    try:
      _data(config, job, opened)
      essence = json.dumps(job.config | {'seed': 0, 'split': None}, sort_keys=True)
      if essence not in seen:
        make_program(config, Placement(jax.devices()[:1]))
      seen.add(essence)
    except UserError as fault:
      raise UserError(f'{job.cell}: {fault}') from fault


def _data(config: ConfigDict, job: Job, opened: dict[str, set[str]]) -> None:
  check_config(config)
  name = f'{config.data.dir} {config.data.name} {config.data.also}'
  if name not in opened:
    opened[name] = set(open_data_set(config).subjects)
    open_further_sets(config)
  if job.test_data and job.test_data not in opened:
    opened[job.test_data] = set(open_data_set(config, name=job.test_data).subjects)
  make_split(opened[name], config.split)
