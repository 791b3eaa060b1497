"""A whole training run: data, state, the loop with its validations and checkpoints, and the files that it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal

import jax
import pandas as pd
from absl import logging
from ml_collections import ConfigDict

from ear_jax.data.pipeline import DataSet, open_data_set, training_batches
from ear_jax.data.splits import Split, make_split
from ear_jax.devices.memory import address_space_free, memory_limit
from ear_jax.devices.placement import Placement, devices_for
from ear_jax.devices.together import check_same, from_first, is_first, largest
from ear_jax.models import build_model
from ear_jax.networks.fine_tuning import first_state, network_to_start_from
from ear_jax.networks.inference import Predictor, make_predictor, myocardium, to_mask
from ear_jax.scoring.aggregate import subject_mean_dice
from ear_jax.scoring.segmentation import score
from ear_jax.system.files import write_text
from ear_jax.system.lock import only_writer
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.failures import failures_in_words
from ear_jax.training.manifest import hash_config, make_manifest
from ear_jax.training.memory import QUICKLY, check_address_space, check_memory, describe
from ear_jax.training.monitor import Monitor
from ear_jax.training.optim import make_optimizer
from ear_jax.training.program import jitted_step, needed_bytes
from ear_jax.training.ranges import check_ranges
from ear_jax.training.resume_check import check_same_run
from ear_jax.training.state import TrainState, abstract_state, count_parameters, initial_state
from ear_jax.training.stopping import Stopped, StopRequest


def train_and_evaluate(config: ConfigDict, workdir: str | os.PathLike) -> tuple[TrainState, dict]:
  """Trains to `config.steps`, validating and saving on the way; resumes what `workdir` holds.

  Returns: the final state, and a summary with `step`, `loss` and `validation_dice` (the best; None without a fold).

  Raises: UserError for a configuration or data that the user can mend, for a lack of memory or disk, or when another
  run uses `workdir`; FloatingPointError when the loss is not finite; Stopped when the process was told to stop.

  >>> config = ear_jax.default_config()
  >>> config.update({'steps': 1, 'batch_size': 2, 'data': {'name': 'toy/velocity', 'crop': 32}})
  >>> config.model.filters = (4, 8)
  >>> state, summary = ear_jax.train(config, 'runs/new')
  >>> summary['step']
  1
  """
  workdir = pathlib.Path(workdir)
  alone = only_writer(workdir) if is_first() else contextlib.nullcontext()
  with StopRequest() as stop, failures_in_words(workdir), alone:
    return _train_and_evaluate(config, workdir, stop)


def _train_and_evaluate(config, workdir, stop):
  check_ranges(config)
  if config.check_memory:
    check_address_space(address_space_free())
  placement = Placement(devices_for(config.batch_size, config.num_devices))
  data = open_data_set(config)
  split = make_split(data.subjects, config.split)
  check_same_run(workdir, config, data, split)
  devices, processes = len(placement.devices), placement.processes
  batches = training_batches(
    data, split.train, config, devices=devices, process=jax.process_index(), processes=processes
  )
  optimizer = make_optimizer(config.optimizer, config.steps)
  train_step = jitted_step(config, placement)
  predictor = make_predictor(myocardium(build_model(config.model)), config, placement)

  def validate(state: TrainState) -> float | None:
    return from_first(validation_dice(predictor, state, data, split))  # every process needs the same figure

  with Checkpoints(workdir / 'checkpoints') as checkpoints:
    check_same(configuration=config.to_json(), data=data.hash, checkpoints=checkpoints.steps)
    placement.connect()
    trained = network_to_start_from(config) if checkpoints.latest is None else None
    _check_memory(config, train_step, placement, max(data.frames[record] for record in data.records_of(split.train)))
    if checkpoints.latest is None:
      state, origin = first_state(config, initial_state(config, optimizer), trained)
      state = placement.replicate(state)
    else:
      state = placement.abstract_saved(abstract_state(config, optimizer))
      state = placement.within(checkpoints.restore(checkpoints.latest, state, batches))
      origin = _origin(workdir)
      logging.info('resuming at step %d', int(state.step))
    # Only now: a configuration that is refused must not replace the one that the checkpoint was made with.
    if is_first():
      _write_run(config, workdir, data, split, count_parameters(state.params), origin)
    with Monitor(config, workdir, int(state.step)) as monitor:
      state = _loop(config, state, batches, train_step, placement, checkpoints, validate, monitor, stop)
  return state, {'step': int(state.step), 'loss': monitor.loss, 'validation_dice': monitor.best}


def _check_memory(config, train_step, placement, frames) -> None:
  """Compiles the step, which its first call then finds compiled; raises UserError when a device is too small for it.

  Called before there is a state, which may be too large itself, and which would be missing from the free memory.
  """
  if placement.processes > 1:  # jax compiles a step that spans processes only when it is called
    logging.info('what a step of several processes needs of memory is not known before it runs')
    return
  devices = len(placement.devices)

  def estimate(other) -> int:
    logging.info('too much: measuring what a smaller setting would need')
    return needed_bytes(other, placement, frames, options=QUICKLY)

  limit, need = memory_limit(placement.devices), needed_bytes(config, placement, frames, train_step)
  logging.info('%s%s', describe(config, frames, need, devices), f'; there are {limit / 1e9:.3g} GB' if limit else '')
  if config.check_memory:
    check_memory(need, limit, config, frames=frames, devices=devices, estimate=estimate)


def _loop(config, state, batches, train_step, placement, checkpoints, validate, monitor, stop) -> TrainState:
  """Next batch, step, read the step before; validate and save at intervals, save and end when told to stop.

  The figures of a step are read after the next one was dispatched: the device is never idle, and never more than one
  step ahead. Before a validation they are read at once, so that no state is saved that came out of a bad step. It is
  saved before the next batch is drawn, so that state and iterator agree, and after its figures are written, so that a
  resumed run's log lacks none.
  """
  pending = None
  if stop.signal and jax.process_count() == 1:
    raise Stopped(int(state.step), stop.signal)
  for step in range(int(state.step), config.steps):
    with monitor.waiting():
      batch = placement.shard(next(batches))
    state, metrics = train_step(state, batch)
    if pending is not None:
      monitor.trained(step, pending)
    pending = metrics
    done = step + 1
    told = _told(stop, state, done, config)
    due = done % config.eval.every == 0 or done == config.steps
    if due or told:
      monitor.trained(done, pending)
      pending = None
      dice = validate(state) if due else None
      monitor.validated(done, dice)
      checkpoints.save(placement.across(state), batches, dice)
    if told and done < config.steps:
      raise Stopped(done, told)
  return state


def _told(stop, state, done, config):
  """The signal to stop after step `done`, or None. Several processes ask each other now and then, to stop together."""
  if jax.process_count() == 1:
    return stop.signal
  if done % config.log_every:
    return None
  jax.block_until_ready(state)  # on CPU a question that overtakes the step's own sums waits for ever
  number = largest(stop.signal or 0)
  return signal.Signals(number) if number else None


def validation_dice(predictor: Predictor, state: TrainState, data: DataSet, split: Split) -> float | None:
  """Returns whole-slice, subject-averaged Dice by the evaluation's own code; None without a validation fold."""
  if not split.validation:
    return None
  cines = (data.cine(record) for record in data.records_of(split.validation))
  scores = [score(cine, to_mask(p), surface=False) for cine, p in predictor(state.variables, cines)]
  return subject_mean_dice(pd.concat(scores))


def _origin(workdir):
  """What the manifest says of the network that the run began from; None where it began from scratch."""
  path = workdir / 'manifest.json'
  return json.loads(path.read_text()).get('init_from') if path.exists() else None


def _write_run(config, workdir, data, split, parameters, origin):
  write_text(workdir / 'config.json', config.to_json(sort_keys=True, indent=2))
  write_text(workdir / 'split.json', split.to_json())
  manifest = make_manifest(config, data, split, parameters)
  manifest |= {'init_from': origin} if origin else {}
  write_text(workdir / 'manifest.json', json.dumps(manifest, indent=2))
  logging.info(
    '%s: %.2f M parameters; %d training, %d validation, %d test subjects; configuration %s',
    config.model.name,
    parameters / 1e6,
    len(split.train),
    len(split.validation),
    len(split.test),
    hash_config(config),
  )
