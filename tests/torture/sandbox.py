"""A command in a process of its own that may write to one folder only, open no connection, unpickle nothing, and take
so much memory and time and no more. What it did beyond that is said in its outcome.
"""

import contextlib
import ctypes
import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import resource
import signal
import sys
import tempfile
import threading
import time

import jax

MODULES = (
  'ear_jax.formats.open',
  'ear_jax.networks.export',
  'ear_jax.workflows.evaluate',
  'ear_jax.workflows.predict',
  'ear_jax.workflows.train',
)
_PATIENCE = 600  # seconds by the clock: a machine under load, or a process that was paused, is no hang
_FORBIDDEN = ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'pickle.find_class', 'os.system', 'os.exec')
_CHANGES = ('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.link', 'os.symlink', 'os.truncate', 'shutil.rmtree')


@dataclasses.dataclass(frozen=True)
class Outcome:
  """How a command ended: exit status (negative: killed by that signal), what it said, and what it should not have done.

  `seconds` of wall time and `memory`, the most bytes it held resident.
  """

  status: int
  stdout: str
  stderr: str
  forbidden: tuple[str, ...]
  seconds: float
  memory: int

  @property
  def fault(self) -> str:
    """Returns '' when the command ended as a command should, whatever its input; else what was wrong."""
    if self.status < 0:
      name = signal.Signals(-self.status).name
      return 'hang: stopped by the clock' if name in ('SIGALRM', 'SIGXCPU') else f'killed by {name}'
    if self.forbidden:
      return f'forbidden: {self.forbidden[0]}'
    if 'Traceback' in self.stderr or 'Traceback' in self.stdout:
      return f'traceback: {self.stderr.strip().splitlines()[-1][:300]}'
    if self.status not in (0, 1, 2, 3):
      return f'exit status {self.status}'
    if self.status in (1, 2) and not any(line.startswith('error: ') for line in self.stderr.splitlines()):
      return 'no sentence'
    return ''


class Sandbox:
  """Runs commands, each in a fresh fork of one process that has done the imports and has not used jax.

  Args:
    folder: for what the commands say.
    seconds: of the processor's time; a command that takes more is stopped. One that waits, ten minutes by the clock.
    memory: bytes that a command may allocate beyond what the imports took.
    connected: False gives commands a network of their own that has nobody in it, where the kernel allows that, so that
      the libraries' C++, which no hook sees, reaches nobody either.
  """

  def __init__(self, folder: pathlib.Path, *, seconds: int = 60, memory: int = 3 * 2**30, connected: bool = True):
    self._folder, self._seconds, self._memory, self._connected = folder, seconds, memory, connected
    folder.mkdir(parents=True, exist_ok=True)
    self._context = multiprocessing.get_context('forkserver')
    self._context.set_forkserver_preload([*MODULES, __name__])

  def run(self, module: str, *args: object, writes: pathlib.Path) -> Outcome:
    """Runs `python -m module args` (or `module:function`) to its end; it may write to the folder `writes` only."""
    limits = (self._seconds, self._memory, self._connected)
    task = (module, [str(a) for a in args], self._folder, writes, limits)
    start = time.monotonic()
    process = self._context.Process(target=_command, args=task)
    process.start()
    process.join(_PATIENCE + 60)
    if process.is_alive():  # the alarm found no interpreter to listen
      process.kill()
      process.join()
    stdout, stderr, events, peak = ((self._folder / name).read_text(errors='replace') for name in _FILES)
    seconds, forbidden = time.monotonic() - start, tuple(events.splitlines())
    return Outcome(process.exitcode, stdout, stderr, forbidden, seconds, int(peak or 0))


_FILES = ('stdout', 'stderr', 'events', 'peak')


def _command(module, args, folder, writes, limits) -> None:
  seconds, memory, connected = limits
  with contextlib.ExitStack() as stack:
    streams = {name: stack.enter_context((folder / name).open('w', buffering=1)) for name in _FILES}
    os.dup2(streams['stdout'].fileno(), 1)
    os.dup2(streams['stderr'].fileno(), 2)
    os.environ['MPLCONFIGDIR'] = str(folder / 'matplotlib')
    compiled = os.environ.get('JAX_COMPILATION_CACHE_DIR') or str(folder / 'compiled')
    os.environ['JAX_COMPILATION_CACHE_DIR'] = compiled
    jax.config.update('jax_compilation_cache_dir', compiled)  # the environment was read at import
    tempfile.tempdir = str(folder / 'temporary')  # openpyxl writes its sheets there first
    os.makedirs(tempfile.tempdir, exist_ok=True)
    _limit(seconds, memory)
    if not connected:
      _disconnect()
    _watch(streams['events'], [writes, folder, pathlib.Path(compiled)])
    sys.argv = [f'python -m {module}', *args]
    module, _, name = module.partition(':')
    imported = importlib.import_module(module)
    try:
      getattr(imported, name or 'main')()
    finally:
      for path in os.listdir(tempfile.tempdir):
        streams['events'].write(f'leaves a temporary file {path}\n')
        os.unlink(os.path.join(tempfile.tempdir, path))
      streams['peak'].write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def _limit(seconds: int, memory: int) -> None:
  status = pathlib.Path('/proc/self/status').read_text()
  used = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith('VmData'))
  resource.setrlimit(resource.RLIMIT_DATA, (used + memory, resource.RLIM_INFINITY))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process whatever it is doing
  resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
  signal.alarm(_PATIENCE)


def _disconnect() -> None:
  libc, new_user, new_network = ctypes.CDLL(None), 0x10000000, 0x40000000  # sched.h
  libc.unshare(new_network) and libc.unshare(new_user | new_network)


def _watch(events, allowed: list[pathlib.Path]) -> None:
  """Writes a line for each thing that no command may do on any input."""
  roots = [f'{path.resolve()}{os.sep}' for path in allowed]
  busy = threading.local()

  def within(path) -> bool:
    if isinstance(path, int):
      return True
    path = os.fsdecode(path)
    # The folder of a name is resolved and not the name: a link there is replaced, not followed.
    folder, name = os.path.split(os.path.abspath(path))
    where = os.path.join(os.path.realpath(folder), name)
    return where.startswith(('/dev/', '/proc/', *roots)) or f'{where}{os.sep}' in roots

  def hook(event, args) -> None:
    if getattr(busy, 'now', False):
      return
    busy.now = True
    try:
      if event in _FORBIDDEN:
        events.write(f'{event} {args[1:]!r}\n')
      elif event == 'open':
        path, mode, flags = args
        wants = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) if flags else mode not in ('r', 'rb', None)
        if wants and not within(path):
          events.write(f'writes {path!r}\n')
      elif event in _CHANGES:
        paths = args[:2] if event in ('os.rename', 'os.link', 'os.symlink') else args[:1]
        if event in ('os.remove', 'os.rmdir') and args[1] != -1:  # relative to an open folder
          paths = (os.path.join(os.readlink(f'/proc/self/fd/{args[1]}'), os.fsdecode(args[0])),)
        if not all(within(path) for path in paths) and not _makes_parent(event, args, roots):
          events.write(f'{event} {args!r}\n')
    finally:
      busy.now = False

  sys.addaudithook(hook)


def _makes_parent(event, args, roots) -> bool:
  """The folder to write to may be made, with those above it."""
  return event == 'os.mkdir' and any(root.startswith(os.path.abspath(os.fsdecode(args[0])) + os.sep) for root in roots)
