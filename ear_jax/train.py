"""Trains a network: `python -m ear_jax.train --config configs/ear3d.py --workdir runs/ear3d [--config.x.y=v]`.

The working directory receives `config.json`, `split.json`, `manifest.json`, `metrics.jsonl`, TensorBoard events, the
log and checkpoints. The same command again resumes where the last checkpoint stands, bit for bit. `--fields` lists what
a configuration holds.
"""

import pathlib
import shlex
from types import SimpleNamespace

from absl import flags, logging

from ear_jax.config import described, flag
from ear_jax.system import cli
from ear_jax.system.errors import UsageError, UserError
from ear_jax.system.heartbeat import heartbeat


def main() -> None:
  """Reads the command line and trains."""
  cli.run(
    _train,
    flag.define('Configuration file, see configs/.'),
    *cli.shared('workdir'),
    flag.define_optional('fields', 'List the fields of a configuration and end; --fields=optimizer: of a section.'),
    flags.DEFINE_bool('profile', False, 'Write a trace of five early steps into the working directory.'),
    flags.DEFINE_string('coordinator', None, 'Several processes: host:port at which process 0 is reached.'),
    flags.DEFINE_integer('num_processes', None, 'Several processes: how many there are.'),
    flags.DEFINE_integer('process_id', None, 'Several processes: which one this is, from 0.'),
  )


def _train(given: SimpleNamespace) -> int | None:
  if given.fields is not None:
    print(described.text(given.fields))
    return 0
  if given.config is None or given.workdir is None:
    raise UsageError('give --config (a file in configs/) and --workdir (a folder for this run)')
  logging.info('loading jax and its libraries')
  with heartbeat():
    from ear_jax.devices import processes
    from ear_jax.training.stopping import Stopped
    from ear_jax.workflows.train import train_and_evaluate

  config, workdir = given.config, pathlib.Path(given.workdir).expanduser()
  count = processes.asked_for(given.coordinator, given.num_processes, given.process_id)
  cli.request_cpu_devices(config.batch_size // count, config.cpu_devices)
  with processes.joined(count, given.coordinator, given.process_id):  # what leaves the block ends all processes
    try:
      _, summary = train_and_evaluate(config, workdir, profile=given.profile)
    except FloatingPointError as fault:
      raise UserError(str(fault)) from fault
    except Stopped as stopped:
      logging.info('%s', stopped)
      return stopped.status
  best = summary['validation_dice']
  best_in_words = 'no validation fold' if best is None else f'best validation Dice {best:.4f}'
  logging.info('done: step %d, loss %.4f, %s, in %s', summary['step'], summary['loss'], best_in_words, workdir)
  run = shlex.quote(str(workdir))
  score = f'score it by `python -m ear_jax.evaluate --workdir {run}`, ' if config.split.test_fraction else ''
  logging.info('next: %suse it by `python -m ear_jax.predict STUDY --checkpoint %s --output results`', score, run)
  return None


if __name__ == '__main__':
  main()
