"""How every command starts: flags, devices, and a sentence instead of a traceback for a user's mistake.

A command makes its flags inside `main()` and imports its work when that is called: commands can be imported together,
one can follow another in one process, and wrong flags are told at once.
"""

import contextlib
import gc
import logging as python_logging
import os
import pathlib
import re
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable, Iterator

from absl import app, flags, logging

from ear_jax.system import pipes
from ear_jax.system.errors import UsageError, UserError
from ear_jax.system.heartbeat import heartbeat

_SHARED = {
  'workdir': 'Folder of a run: training fills it or resumes it, evaluation reads it.',
  'output': 'Folder to write.',
}
_XLA_FLAGS = (
  # A device that waits for the other gives up after 40 s and ends the process: too soon for one that was paused.
  '--xla_cpu_collective_call_terminate_timeout_seconds=86400',
  '--xla_cpu_collective_timeout_seconds=86400',
)
_TAKES = {'bool': 'true or false', 'tuple': 'values with commas between them'}
_KEPT = 'JAX_COMPILATION_CACHE_DIR'  # jax reads it when it is imported
_FORGOTTEN = 60 * 86400  # seconds after which an unused compiled program is removed
_AGAIN = 0.05  # seconds after which a signal is sent again
_PACKAGE = f'{pathlib.Path(__file__).parents[1]}{os.sep}'


def shared(*names: str) -> list[flags.FlagHolder]:
  """Makes flags that several commands have: 'workdir', 'output'."""
  return [flags.DEFINE_string(name, None, _SHARED[name]) for name in names]


def run(
  work: Callable[[types.SimpleNamespace], int | None],
  *made: flags.FlagHolder,
  words: int = 0,
  alive: bool = False,
  writes: str = 'folder',
) -> None:
  """Parses the command line, calls `work` and exits: 0 or what it returns, 1 for a `UserError`, 2 for a `UsageError`.

  What is wrong with flags by themselves, or with words beside them, is told as a `UsageError` is.

  Args:
    work: takes the values of the flags by their names, and as `words` what stands beside flags.
    made: all flags of this command. They are absl's, beside absl's own and those of libraries, which read them there,
      until the command ends.
    words: how many may stand beside flags.
    writes: what --output names, 'folder' or 'file'.
    alive: say the last line again every ten seconds, by a thread, where no terminal shows a bar.
  """
  _keep_compiled()
  names = [flag.name for flag in made]
  for name in names:
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])  # so that --help lists it

  def call(argv: list[str]) -> int | None:
    set_up_logging()
    given = types.SimpleNamespace(words=argv[1:], **{flag.name: flag.value for flag in made})
    _require_place(getattr(given, 'output', None), writes)
    with (
      _signals_heard(),
      heartbeat() if alive and not sys.stderr.isatty() else contextlib.nullcontext(),
      _backend_in_words(),
    ):
      return work(given)

  try:
    app.run(call, flags_parser=lambda argv: _parse(argv, words))
  except UserError as fault:
    _stop(str(fault), 2 if isinstance(fault, UsageError) else 1)
  except KeyboardInterrupt as fault:
    _stop(*stopped_by(fault))
  except BrokenPipeError:
    if not pipes.unread('\n'):  # it is of another pipe
      raise
    sys.exit(1)
  finally:
    pipes.unread()
    flags.FLAGS.remove_flag_values([name for name in flags.FLAGS if name.partition('.')[0] in names])  # config.x.y too
    flags.FLAGS.unparse_flags()  # absl's own have their defaults again
    flags.FLAGS.mark_as_parsed()


class Told(KeyboardInterrupt):
  """Another signal than that of Ctrl-C told the process to end; what cleans up after Ctrl-C cleans up after it too.

  Attributes:
    signal: which.
  """

  def __init__(self, number: signal.Signals):
    super().__init__(number.name)
    self.signal = number


def stopped_by(fault: KeyboardInterrupt) -> tuple[str, int]:
  """Returns what stopped a command, in words, and its exit status, as shells have it."""
  if isinstance(fault, Told):
    return f'stopped by {fault.signal.name}', 128 + fault.signal
  return 'stopped by Ctrl-C', 130


@contextlib.contextmanager
def _signals_heard() -> Iterator[None]:
  """Raises `Told` within the block where a signal would end the process without a word; a second one ends it so.

  Ctrl-C raises KeyboardInterrupt, as always, but is not lost either.
  """

  def tell(number: int, frame: types.FrameType | None) -> None:
    if put_off(number, frame):
      return
    signal.signal(number, before[number])
    raise KeyboardInterrupt if number == signal.SIGINT else Told(signal.Signals(number))

  before, usual = {}, (signal.SIG_DFL, signal.default_int_handler)
  with contextlib.ExitStack() as closing:
    for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, 'SIGHUP', signal.SIGTERM)}:  # no SIGHUP on Windows
      mine = threading.current_thread() is threading.main_thread()  # Python hears signals in no other
      if mine and signal.getsignal(number) in usual:
        before[number] = signal.signal(number, tell)
        closing.callback(signal.signal, number, before[number])
    yield


def put_off(number: int, frame: types.FrameType | None) -> bool:
  """Returns whether Python would drop what a handler of a signal raises now; the signal then comes again at once.

  It drops what is raised in a callback of the garbage collector (jax has one) and in `__del__`, and goes on.
  """
  called = {getattr(callback, '__code__', None) for callback in gc.callbacks}
  while frame and frame.f_code not in called and frame.f_code.co_name != '__del__':
    frame = frame.f_back
  if frame:
    threading.Timer(_AGAIN, os.kill, (os.getpid(), number)).start()
  return frame is not None


def _require_place(output: str | None, holds: str) -> None:
  """Raises UserError where a file is in the way of the folder to write, or a folder in that of the file."""
  if output is None:
    return
  path = pathlib.Path(output).expanduser()
  if holds == 'file' and os.path.isdir(path):
    raise UserError(f'--output={output} is a folder: give the name of a file')
  for one in path.parents if holds == 'file' else (path, *path.parents):
    if os.path.exists(one) and not os.path.isdir(one):  # unlike pathlib's these raise for no name
      raise UserError(f'--output={output}: {one} is a file, not a folder: give another name, or move that file away')


@contextlib.contextmanager
def _backend_in_words() -> Iterator[None]:
  """Raises UserError where jax cannot start what JAX_PLATFORMS asks for: it ends in an assertion, or in a traceback."""
  try:
    yield
  except (AssertionError, RuntimeError) as fault:
    frames = traceback.extract_tb(fault.__traceback__)
    if not frames or not frames[-1].filename.endswith(f'jax{os.sep}_src{os.sep}xla_bridge.py'):
      raise
    asked, said = os.environ.get('JAX_PLATFORMS', ''), ' '.join(str(fault).split())[:200]
    raise UserError(
      f'jax cannot start the devices here (JAX_PLATFORMS={asked}{said and ": " + said}): run on the CPU with '
      'JAX_PLATFORMS=cpu, or install jax for the GPU, pip install "ear_jax[cuda12]", or [cuda13]'
    ) from fault


def _keep_compiled() -> None:
  """Has jax keep what it compiles, for the next process: where the user says (empty: nowhere), or in their home.

  Without effect once jax is imported, and where there is no home to write to.
  """
  if _KEPT in os.environ:
    return
  try:
    folder = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'ear_jax/compiled'
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _ours_alone(folder):
      return
    for kept in folder.glob('*-cache'):
      if time.time() - kept.stat().st_atime > _FORGOTTEN:
        kept.unlink()
  except (OSError, RuntimeError):  # no home, a full disk, or another process that removed it first
    return
  os.environ[_KEPT] = str(folder)


def _ours_alone(folder: pathlib.Path) -> bool:
  """Whether no other user can write there: what jax finds is run."""
  status = folder.stat()
  owned = not hasattr(os, 'getuid') or (status.st_uid == os.getuid() and not status.st_mode & 0o022)
  return owned and os.access(folder, os.W_OK)


def _parse(argv: list[str], words: int) -> list[str]:
  try:
    rest = flags.FLAGS(argv)
  except (SystemExit, BrokenPipeError):  # help was asked for, and absl ends with 1
    sys.exit(0)
  except (AttributeError, KeyError, TypeError, ValueError, flags.Error) as fault:
    # ml_collections raises plain Python errors out of a configuration file.
    _stop(_expected(str(fault)) or ' '.join(map(str, fault.args)) or repr(fault), 2)
  if len(rest) > 1 + words:
    _stop(f'unexpected argument {rest[1 + words]!r}: options begin with --', 2)
  return rest


def _expected(said: str) -> str:
  """Returns what absl says of a wrong value, with what the flag takes in place of Python's own words; '' for others."""
  match = re.match(r'(flag --([\w.]+)=.*?): ', said, re.DOTALL)
  if not match or match[2] not in flags.FLAGS:
    return ''
  parser = flags.FLAGS[match[2]].parser
  takes = parser.syntactic_help or _TAKES.get(parser.flag_type(), '')
  return f'{match[1]}: expected {takes}' if takes else ''


def set_up_logging() -> None:
  """Lets our own lines through, and of the libraries' only warnings."""
  logging.set_verbosity(logging.INFO)
  # Orbax and grain tell of their every step at the level that our own lines use.
  logging.get_absl_handler().addFilter(ours)
  logging.get_absl_handler().setFormatter(_Brief())
  warnings.filterwarnings('ignore', module='pydicom')


class _Brief(python_logging.Formatter):
  """The time of day and the line, and of what is no information how grave it is."""

  def format(self, record: python_logging.LogRecord) -> str:
    grave = f' {record.levelname}' if record.levelno > python_logging.INFO else ''
    return f'[{self.formatTime(record, "%H:%M:%S")}{grave}] {super().format(record)}'


def ours(record: python_logging.LogRecord) -> bool:
  """Whether a line is for the user: one of ours, or a warning of a library."""
  # A thread of Orbax logs the traceback of what it then raises in ours, or of a write that the end of the process met.
  if f'orbax{os.sep}checkpoint{os.sep}_src{os.sep}futures' in record.pathname:
    return False
  # pydicom logs the traceback of every decoder that it tried, and warns of odd values by quoting them, which may be a
  # patient's; the reader says in a sentence which file is broken. It sets the level of its logger when it is imported.
  if record.name.startswith('pydicom'):
    return False
  return record.levelno > python_logging.INFO or record.pathname.startswith(_PACKAGE)


def _stop(sentence: str, status: int) -> None:
  print(f'error: {sentence}', file=sys.stderr)
  sys.exit(status)


def request_cpu_devices(batch_size: int, requested: int) -> None:
  """Splits the CPU into virtual devices; without effect where there is an accelerator, or once jax has been used.

  XLA's convolutions use one thread each, so a device a core keeps all cores busy.

  Args:
    batch_size: cines a step; when `requested` is 0 the number of devices divides it (0 is divided by any number).
    requested: number of devices; 0: one a core.
  """
  import jax  # here: it takes a second, which a wrong flag need not wait for

  cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
  count = requested or max(n for n in range(1, cores + 1) if batch_size % n == 0)
  with contextlib.suppress(RuntimeError):  # a command before this one has used jax: its devices stay
    jax.config.update('jax_num_cpu_devices', count)
  # Of a flag that stands there twice the last holds, which is the user's.
  os.environ['XLA_FLAGS'] = ' '.join((*_XLA_FLAGS, os.environ.get('XLA_FLAGS', '')))
