"""The command lines under test: started as a user starts them, or as a fork of a process that has done the imports."""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
_WORK = ('train', 'evaluate', 'predict', 'make_phantom')
MODULES = (*(f'ear_jax.{name}' for name in _WORK), *(f'ear_jax.workflows.{name}' for name in _WORK))

_WITHOUT_TENSORFLOW = """
import importlib.machinery, runpy, sys

class Refusal:  # TensorFlow can be found, for etils asks whether it could be, but not be imported
  def find_spec(name, path=None, target=None):
    return importlib.machinery.ModuleSpec(name, Refusal) if name == 'tensorflow' else None
  def create_module(spec):
    raise RuntimeError('TensorFlow was imported')
  def exec_module(module):
    pass

sys.meta_path.insert(0, Refusal)
try:
  runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)
finally:
  assert 'tensorflow' not in sys.modules
  print('without TensorFlow', file=sys.stderr)
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What a command left: its exit status and all that it said."""

  status: int
  stdout: str
  stderr: str

  @property
  def sentence(self) -> str:
    """The one line `error: ...` of a command that failed as it should: no success, no traceback, no second line."""
    lines = [line for line in self.stderr.splitlines() if line.startswith('error:')]
    assert self.status != 0, self.stdout + self.stderr
    assert 'Traceback' not in self.stderr, self.stderr
    assert len(lines) == 1, self.stderr
    return lines[0]


def start(module: str, *args: object) -> subprocess.Popen:
  """Returns the process of `python -m module args`."""
  return _start('-m', module, *args)


def run(module: str, *args: object) -> Outcome:
  """Runs `python -m module args` to its end."""
  return _finish(start(module, *args))


def run_without_tensorflow(module: str, *args: object) -> Outcome:
  """Does as `run` where any import of TensorFlow raises; stderr ends with 'without TensorFlow' if none was left."""
  return _finish(_start('-c', _WITHOUT_TENSORFLOW, module, *args))


def _finish(process):
  with process:
    stdout, stderr = process.communicate()
  return Outcome(process.returncode, stdout, stderr)


def _start(*args):
  command = [sys.executable, *map(str, args)]
  return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Forks:
  """Runs commands as `run` does, each in a fresh fork of one process that has imported them: a second less each.

  No fork has used jax before, so that flags and devices are as in a process of its own.
  """

  def __init__(self, folder: pathlib.Path):
    self._folder = folder
    self._context = multiprocessing.get_context('forkserver')
    self._context.set_forkserver_preload(list(MODULES))

  def run(self, module: str, *args: object, limits: dict[int, int] | None = None) -> Outcome:
    """Runs the command `module` with some arguments to its end, under resource limits where they are given."""
    return self.start(module, *args, limits=limits).end()

  def start(self, module: str, *args: object, limits: dict[int, int] | None = None) -> 'Fork':
    """Returns the running process of a command."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=self._folder))
    process = self._context.Process(target=_command, args=(module, [str(a) for a in args], folder, limits or {}))
    process.start()
    return Fork(process, folder)


@dataclasses.dataclass
class Fork:
  """A command that runs, and the folder of what it says."""

  process: multiprocessing.process.BaseProcess
  folder: pathlib.Path

  @property
  def pid(self) -> int:
    """Its process id."""
    return self.process.pid

  def ended(self) -> bool:
    """Whether it has come to its end."""
    return self.process.exitcode is not None

  def send(self, number: signal.Signals) -> None:
    """Sends a signal, if it is still there."""
    if not self.ended():
      os.kill(self.process.pid, number)

  def end(self, seconds: float | None = None) -> Outcome:
    """Waits for its end; raises TimeoutError after some seconds, killing it."""
    self.process.join(seconds)
    if not self.ended():
      self.process.kill()
      raise TimeoutError(f'still running after {seconds} s: {(self.folder / "stderr").read_text()[-2000:]}')
    stdout, stderr = ((self.folder / name).read_text(errors='replace') for name in ('stdout', 'stderr'))
    shutil.rmtree(self.folder)
    return Outcome(self.process.exitcode, stdout, stderr)


def _command(module: str, args: list[str], folder: pathlib.Path, limits: dict[int, int]) -> None:
  for kind, limit in limits.items():
    resource.setrlimit(kind, (limit, resource.RLIM_INFINITY))
  with contextlib.ExitStack() as stack:
    for descriptor, name in ((1, 'stdout'), (2, 'stderr')):
      os.dup2(stack.enter_context((folder / name).open('w')).fileno(), descriptor)
    os.chdir(ROOT)
    sys.argv = [f'python -m {module}', *args]
    importlib.import_module(module).main()
