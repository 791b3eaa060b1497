"""How every entry point starts: flags, devices, and a sentence instead of a traceback for a user's mistake."""

from __future__ import annotations

import logging as python_logging
import os
import sys
import warnings
from collections.abc import Callable

import jax
from absl import app, flags, logging

from ear_jax.system.errors import UserError

# Shared, or the modules of two commands could not be imported into one process.
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of a run: training fills it or resumes it, evaluation reads it.')
OUTPUT = flags.DEFINE_string('output', None, 'Folder to write; export: file to write, .zip.')
CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  None,
  'export: working directory of a training run; predict: the same, an exported .zip or the name of a network that '
  'ships with the package, or several with commas between them, to be averaged; evaluate: one of those without '
  "--workdir, or with it 'best' by validation Dice (default), 'latest' or a step.",
)
_XLA_FLAGS = (
  # A device that waits for the other gives up after 40 s and ends the process: too soon for one that was paused.
  '--xla_cpu_collective_call_terminate_timeout_seconds=86400',
  '--xla_cpu_collective_timeout_seconds=86400',
)
ARGUMENTS: list[str] = []  # what stands on the command line beside flags


def run(main: Callable[[], int | None], *, arguments: int = 0) -> None:
  """Parses the flags, calls `main()` and exits: 0 or what it returns, 1 for a `UserError`, 2 for wrong flags.

  `arguments` is how many words may stand beside flags; `main` finds them in `ARGUMENTS`.
  """
  try:
    app.run(lambda _: _call(main), flags_parser=lambda argv: _parse(argv, arguments))
  except UserError as fault:
    _stop(str(fault), 1)


def _parse(argv: list[str], arguments: int) -> list[str]:
  try:
    rest = flags.FLAGS(argv)
  except (AttributeError, KeyError, TypeError, ValueError, FileNotFoundError, flags.Error) as fault:
    # ml_collections raises plain Python errors for an unknown key or a wrong type.
    _stop(' '.join(str(a) for a in fault.args) or repr(fault), 2)
  except OSError as fault:  # of a missing configuration file ml_collections tells in five lines
    _stop(' '.join(str(fault).split()), 2)
  if len(rest) > 1 + arguments:
    _stop(f'unexpected argument {rest[1 + arguments]!r}: options begin with --', 2)
  ARGUMENTS[:] = rest[1:]
  return rest


def _call(main: Callable[[], int | None]) -> int | None:
  set_up_logging()
  return main()


def set_up_logging() -> None:
  """Lets our own lines through, and of the libraries' only warnings."""
  logging.set_verbosity(logging.INFO)
  # Orbax and grain tell of their every step at the level that our own lines use.
  logging.get_absl_handler().addFilter(_ours)
  # pydicom logs the traceback of every decoder that it tried, and warns of odd values by quoting them, which may be a
  # patient's; the reader says in a sentence which file is broken.
  python_logging.getLogger('pydicom').setLevel(python_logging.CRITICAL)
  warnings.filterwarnings('ignore', module='pydicom')


def _ours(record: python_logging.LogRecord) -> bool:
  # A thread of Orbax logs the traceback of what it then raises in ours, or of a write that the end of the process met.
  if f'orbax{os.sep}checkpoint{os.sep}_src{os.sep}futures' in record.pathname:
    return False
  return record.levelno > python_logging.INFO or f'{os.sep}ear_jax{os.sep}' in record.pathname


def _stop(sentence: str, status: int) -> None:
  print(f'error: {sentence}', file=sys.stderr)
  sys.exit(status)


def request_cpu_devices(batch_size: int, requested: int) -> None:
  """Splits the CPU into virtual devices, before jax is first used; without effect where there is an accelerator.

  XLA's convolutions use one thread each, so a device a core keeps all cores busy.

  Args:
    batch_size: cines a step; when `requested` is 0 the number of devices divides it (0 is divided by any number).
    requested: number of devices; 0: one a core.
  """
  cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
  count = requested or max(n for n in range(1, cores + 1) if batch_size % n == 0)
  jax.config.update('jax_num_cpu_devices', count)
  # Of a flag that stands there twice the last holds, which is the user's.
  os.environ['XLA_FLAGS'] = ' '.join((*_XLA_FLAGS, os.environ.get('XLA_FLAGS', '')))
