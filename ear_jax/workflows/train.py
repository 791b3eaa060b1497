"""A whole training run: data, state, the loop with its validations and checkpoints, and the files that it leaves."""

import contextlib
import os
import pathlib
from collections.abc import Callable

import jax
from absl import logging
from ml_collections import ConfigDict

from ear_jax.config.fields import check_config
from ear_jax.data.carried import with_carried
from ear_jax.data.data_set import (
  check_data_sets,
  names_of_sets,
  open_data_set,
  open_further_sets,
  say_window_beyond,
)
from ear_jax.data.on_device import Windows, make_batches, windows_of
from ear_jax.data.pipeline import training_batches, training_examples
from ear_jax.data.splits import make_split
from ear_jax.devices.memory import address_space_free
from ear_jax.devices.placement import Placement, devices_for
from ear_jax.devices.together import check_same, is_first
from ear_jax.networks.fine_tuning import check_init_from, first_state, network_to_start_from
from ear_jax.system.heartbeat import heartbeat
from ear_jax.system.lock import only_writer
from ear_jax.system.log_file import kept_in
from ear_jax.training.checkpoint import Checkpoints
from ear_jax.training.checksums import saved_steps
from ear_jax.training.failures import failures_in_words
from ear_jax.training.manifest import read_origin, write_run
from ear_jax.training.memory import check_address_space
from ear_jax.training.monitor import Monitor
from ear_jax.training.program import Program, check_memory, check_names, make_program
from ear_jax.training.resume_check import check_same_run
from ear_jax.training.state import TrainState
from ear_jax.training.stopping import Stopped, StopRequest
from ear_jax.training.trace import Trace
from ear_jax.workflows.validation import make_validation


def train_and_evaluate(
  config: ConfigDict, workdir: str | os.PathLike, *, profile: bool = False
) -> tuple[TrainState, dict]:
  """Trains to `config.steps`, validating and saving on the way; resumes what `workdir` holds.

  With `profile` a trace of some early steps is left in `workdir/profile`.

  Returns: the final state, and a summary with `step`, `loss` and `validation_dice` (the best; None without a fold).

  Raises: UserError for a configuration or data that the user can mend, for a lack of memory or disk, or when another
  run uses `workdir`; FloatingPointError when the loss is not finite; Stopped when the process was told to stop.

  >>> config = ear_jax.default_config()
  >>> config.update({'steps': 1, 'data': {'name': 'toy/velocity', 'crop': 32}, 'split': {'folds': 4}})
  >>> config.model.filters = (4, 8)
  >>> state, summary = ear_jax.train(config, 'runs/new')
  >>> summary['step']
  1
  """
  workdir = pathlib.Path(workdir)
  alone = only_writer(workdir, 'config.json', ('log.txt', 'checkpoints')) if is_first() else contextlib.nullcontext()
  with StopRequest() as stop, failures_in_words(workdir), alone, contextlib.ExitStack() as preparing:
    preparing.enter_context(heartbeat())
    with kept_in(workdir / 'log.txt') if is_first() else contextlib.nullcontext():
      return _train_and_evaluate(config, workdir, stop, preparing, workdir / 'profile' if profile else None)


def _train_and_evaluate(config, workdir, stop, preparing, profile):
  check_config(config)
  if config.check_memory:
    check_address_space(address_space_free())
  check_names(config)
  stop.before = max(saved_steps(workdir / 'checkpoints'), default=0)
  if not stop.before:
    check_init_from(config)
  check_data_sets(config)
  logging.info('making the network %s', config.model.name)
  program = make_program(config, Placement(devices_for(config.batch_size, config.num_devices)))
  placement = program.placement
  trained = None if stop.before else network_to_start_from(config, program.shapes)
  logging.info('opening the data set %s', config.data.name)
  data, also = open_data_set(config), open_further_sets(config)
  for name, each in zip(names_of_sets(config), (data, *also), strict=True):
    say_window_beyond(each, name, config.data.crop, None if stop.before else program.model.unit)
  split = make_split(data.subjects, config.split)
  check_same_run(workdir, config, data, split, also)
  with Checkpoints(workdir / 'checkpoints') as checkpoints:
    check_same(configuration=config.to_json(), data=data.hash, checkpoints=checkpoints.steps)
    placement.connect()
    shares = {'devices': len(placement.devices), 'process': jax.process_index(), 'processes': placement.processes}
    learnt = with_carried(data, split.train, config)  # validation scores what is annotated in the data set itself
    further = [with_carried(other, other.subjects, config) for other in also]
    batches = training_batches(learnt, split.train, config, **shares, also=further)
    frames = max(data.frames[record] for record in data.records_of(split.train))
    validate = make_validation(program, data, split)
    windows = None  # batches are made on the host
    if config.data.on_device:
      logging.info('reading the training set into memory')
      windows = windows_of(training_examples(learnt, split.train, further), config)
    with stop.patiently():
      logging.info('compiling the training step')
      check_memory(program, frames, held=sum(x.nbytes for x in windows or ()))
    with stop.patiently():
      logging.info('making the first state')
      if checkpoints.latest is None:
        state, origin = first_state(config, program.initial_state(), trained)
        state = placement.replicate(state)
      else:
        shapes = placement.abstract(program.shapes)
        state = placement.within(checkpoints.restore(checkpoints.latest, shapes, batches))
        origin = read_origin(workdir)
        logging.info('resuming at step %d', int(state.step))
    # Only now: a configuration that is refused must not replace the one that the checkpoint was made with.
    if is_first():
      write_run(config, workdir, data, split, state.params, origin, also)
    preparing.close()  # the monitor has signs of life of its own
    first = int(state.step)
    with Monitor(program, workdir, first) as monitor, Trace(profile, first) as trace, placement.guarded():
      feed = _feed(config, placement, windows)
      del windows  # the devices have them
      state = _loop(program, state, batches, feed, checkpoints, validate, monitor, stop, trace)
  return state, {'step': int(state.step), 'loss': monitor.loss, 'validation_dice': monitor.best}


def _feed(config: ConfigDict, placement: Placement, windows: Windows | None) -> Callable[[dict], dict]:
  """Returns a function from what the iterator yields to a batch on the devices."""
  if windows is None:
    return placement.shard
  there, make = placement.replicate(windows), placement.pmap_apply(make_batches(config))
  return lambda asked: make(there, placement.shard(asked))


def _loop(program: Program, state, batches, feed, checkpoints, validate, monitor, stop, trace) -> TrainState:
  """Takes batch, step and the figures of the step before in turn; validates and saves at intervals, ends when told to.

  The figures of a step are read after the next one was dispatched: the device is never idle, and never more than one
  step ahead. Before a validation they are read at once, so that no state is saved that came out of a bad step. It is
  saved before the next batch is drawn, so that state and iterator agree, and after its figures are written, so that a
  resumed run's log lacks none.
  """
  config, placement, pending = program.config, program.placement, None
  begun, stop.before = int(jax.device_get(state.step)), None
  monitor.pace.restart()
  for step in range(begun, config.steps):
    if monitor.exhausted():
      break
    trace.at(step)
    batch = feed(next(batches))
    monitor.pace.dispatch()
    state, metrics = program.step(state, batch)
    dispatched = monitor.pace.under_way(metrics)
    if pending is not None:
      monitor.trained(step, pending)
    pending = dispatched
    done = step + 1
    told = stop.told(state, done, every=config.log_every)
    due = done % config.eval.every == 0 or done == config.steps
    if due or told or (config.save_every and done % config.save_every == 0):
      monitor.trained(done, pending)
      pending = None
      if due:
        monitor.validating(done)
      validated = validate(state) if due else None
      monitor.validated(done, validated)
      checkpoints.save(placement.across(state), batches, validated and validated.dice)
      monitor.pace.restart()
    if told and done < config.steps:
      raise Stopped(done, told)
  return state
