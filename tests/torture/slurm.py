"""Does on a real SLURM what the documents promise: `make slurm`, or `python tests/torture/slurm.py [--only=WORDS]`.

SLURM is Debian's, two nodes on this machine (`slurm_nodes.py`), networks and pictures are toys. Prints what was tried,
whether it held, and what was seen; exits with 1 where something did not hold, and keeps the logs in `runs/slurm`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests/runs')]  # configs; command lines

import command_line  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402
import slurm_nodes  # noqa: E402
import toy  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from slurm_nodes import Slurm, wait  # noqa: E402
from traces import final_bytes  # noqa: E402

from ear_jax.training.checksums import saved_steps  # noqa: E402
from ear_jax.training.log import read_metrics  # noqa: E402

TRIALS = ('grid', 'over_its_limit', 'killed_job', 'two_nodes', 'told_to_stop', 'node_killed')
STEPS, EVERY = 40, 5  # of a run of the grid; between its checkpoints
_FAILED = ROOT / 'runs/slurm'  # what a trial that did not hold has left, and SLURM's logs
_ENDS = ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL')  # of a job
_LONG = 3600  # seconds that a grid, or a run, may take
_JOB = {'nodes': 1, 'tasks_per_node': 1, 'gpus_per_node': 0, 'cpus_per_task': 1, 'mem_gb': 2}
_GRID = """
from configs import ablation
from ml_collections import ConfigDict

def get_config():
  config = ablation.get_config()
  config.base, config.folds = {base!r}, 2
  config.changes = ConfigDict({changes!r})
  config.launcher.executor = 'slurm'
  config.launcher.slurm = ConfigDict({slurm!r})
  return config
"""
_ONE_LOSS = ('--config.grid.loss.name=("dice_iou",)',)
_ONE_CELL = ('--config.grid.model.name=("ear3d",)', *_ONE_LOSS)
# A warm-up is cut to the number of steps, and the cosine follows it: runs of other lengths would be other programs.
_SAME_PROGRAM = {'schedule': 'constant', 'warmup_steps': 0}
_LIMIT = 4  # minutes that a job may take
# Many jobs of little work: what XLA compiled is shared, and compiled quickly.
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
  'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
  'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
}
# As in docs/cluster.md, without GPUs.
_TWO_NODES = """#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=1 --cpus-per-task=1
srun {python} -m ear_jax.train {arguments}
"""
_CURVE = ('--config.batch_size=4', '--config.eval.every=3', '--config.log_every=1')


class Trials:
  """What is tried, in this order; each returns what was seen, and raises where a promise did not hold."""

  def __init__(self, slurm: Slurm, home: pathlib.Path):
    self._slurm, self._home = slurm, home

  def grid(self) -> str:
    """The paper's three networks, 2 folds: complete after a node and the command were killed"""
    workdir, start = self._home / 'grid', self._grid('grid', {'steps': STEPS, 'eval': {'every': EVERY}}, minutes=60)
    command = start(*_ONE_LOSS)
    wait(lambda: self._begun('n2'), 'a checkpoint on n2', _LONG)
    self._slurm.switch_off('n2')
    requeued = self._requeued('grid')
    assert requeued, 'no job was queued again'
    command.kill()
    command.communicate()
    self._slurm.switch_on('n2')
    _finish(start(*_ONE_LOSS))
    results = sorted((workdir / 'jobs').glob('*/result.json'))
    assert len(results) == 9, f'{len(results)} of 6 runs and 3 ensembles'
    assert (workdir / 'ablation.md').exists()
    for job in requeued:
      self._check_undisturbed(_folder(job))
    return f'9 jobs, {len(requeued)} queued again, same bits as undisturbed'

  def over_its_limit(self) -> str:
    """A job over its time limit is queued again, goes on from its checkpoint, and is complete"""
    changes = {'steps': 5 * STEPS, 'eval': {'every': 4 * EVERY}}
    start = self._grid('limit', changes, minutes=_LIMIT, more={'slurm_signal_delay_s': 20})
    command, held = start(*_ONE_CELL), {}

    def both_ended() -> bool:
      """Holds each run from its first checkpoint on until SLURM's signal: too slow, however fast the machine is."""
      assert command.poll() is None, command.communicate()
      for node in self._slurm.nodes:
        if node not in held and (at_work := self._begun(node)):
          (held[node],) = _processes(at_work[0])
          held[node].suspend()
      for process in held.values():
        if _waits(process, signal.SIGUSR2):
          process.resume()
      return len(held) == len(self._slurm.nodes) and not any(process.is_running() for process in held.values())

    wait(both_ended, 'the end of both runs', _LONG)
    _finish(command)
    requeued = self._requeued('limit')
    assert len(requeued) == 2, f'{len(requeued)} of two runs queued again'
    for job in requeued:
      self._check_undisturbed(_folder(job))
    return f'both runs queued again, {[int(job["Restarts"]) for job in requeued]} times; same bits as undisturbed'

  def killed_job(self) -> str:
    """A job killed as one that is out of memory is named, and the same command completes the grid"""
    start = self._grid('memory', {'steps': STEPS, 'eval': {'every': EVERY}}, minutes=60)
    command = start(*_ONE_CELL)
    wait(lambda: self._begun('n2'), 'a checkpoint', _LONG)
    (job,) = self._begun('n2')
    for process in _processes(job):
      process.kill()
    stdout, stderr = command.communicate(timeout=_LONG)
    assert command.returncode == 1, stdout + stderr
    (sentence,) = [line for line in stderr.splitlines() if line.startswith('error: ')]
    assert _folder(job).name in stderr, stderr
    _finish(start(*_ONE_CELL))
    return sentence

  def two_nodes(self) -> str:
    """Two processes on two nodes train as one process does, to 1e-5"""
    job = self._two('two', '--config.steps=9')
    self._end(job, 'COMPLETED')
    self._one('one', '--config.steps=9')
    return self._compare('two', 'one', 9)

  def told_to_stop(self) -> str:
    """SIGTERM before the time limit saves and ends all; the same command goes on"""
    job = self._two('told', '--config.steps=1000000', limits=('--time=5', '--signal=TERM@120'))
    self._end(job, 'COMPLETED')
    step = saved_steps(self._home / 'told/checkpoints')[-1]
    assert f'stopped at step {step}' in self._said(job), self._said(job)
    job = self._two('told', f'--config.steps={step + 5}')
    self._end(job, 'COMPLETED')
    assert f'resuming at step {step}' in self._said(job), self._said(job)
    return f'stopped at step {step}, went on from there'

  def node_killed(self) -> str:
    """A node killed in a training on two nodes: the other process says so, and the training goes on"""
    fields = ('--config.steps=1000', '--config.eval.every=100')
    job = self._two('killed', *fields)
    wait(lambda: saved_steps(self._home / 'killed/checkpoints'), 'a checkpoint', _LONG)
    self._slurm.switch_off('n2')
    wait(lambda: self._slurm.job(job)['JobState'] in ('PENDING', *_ENDS), 'the end of the job', 200)
    (said,) = re.findall(r'error: (process \d of 2 \w+ \w+)', self._said(job))
    last = saved_steps(self._home / 'killed/checkpoints')[-1]
    again = self._slurm.job(job)['JobState'] == 'PENDING'
    self._slurm.switch_on('n2')
    job = job if again else self._two('killed', *fields)
    self._end(job, 'COMPLETED')
    assert f'resuming at step {last}' in self._said(job), self._said(job)
    return f'"{said}"; {"queued again by SLURM" if again else "submitted again"}, on from step {last}'

  def _grid(self, name: str, changes: dict, minutes: int, more: dict | None = None) -> Callable:
    """Returns a function that starts the command of a grid, with further flags."""
    slurm = _JOB | {'timeout_min': minutes} | (more or {})
    file = self._home / f'{name}.py'
    file.write_text(_GRID.format(base=str(self._home / 'tiny.py'), changes=changes, slurm=slurm))
    return lambda *args: command_line.start('ear_jax.ablation', '--config', file, '--workdir', self._home / name, *args)

  def _requeued(self, name: str) -> list[dict[str, str]]:
    """Returns the jobs of a grid that were queued again."""
    again = (job for job in self._slurm.jobs() if job['Restarts'] != '0')
    return [job for job in again if _folder(job).is_relative_to(self._home / name)]

  def _begun(self, node: str) -> list[dict[str, str]]:
    """Returns the job of a grid that is at work on a node and has saved something."""
    running = (job for job in self._slurm.jobs() if (job['JobState'], job['NodeList']) == ('RUNNING', node))
    saved = (job for job in running if saved_steps(_folder(job) / 'run/checkpoints'))
    return [job for job in saved if not (_folder(job) / 'result.json').exists()]

  def _check_undisturbed(self, folder: pathlib.Path) -> None:
    """Raises where a job that was queued again did not resume, or came to another end than one that nobody disturbs."""
    logs = [path.read_text() for path in (folder / 'log').glob('*_log.out')]  # a job submitted twice has two
    assert any('resuming at step' in said for said in logs), logs[0][-2000:]
    alone = self._home / 'alone' / folder.name
    alone.mkdir(parents=True)
    shutil.copy(folder / 'job.json', alone)
    code = f'import pathlib; from ear_jax.ablations import job; job.run(pathlib.Path({str(alone)!r}))'
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, capture_output=True)
    subjects, expected = (json.loads((f / 'result.json').read_text())['subjects'] for f in (folder, alone))
    assert subjects == expected, (subjects, expected)
    assert final_bytes(folder / 'run') == final_bytes(alone / 'run'), 'other bits than the undisturbed run'

  def _train(self, workdir: pathlib.Path, *args: str) -> subprocess.Popen:
    return command_line.start('ear_jax.train', '--config', self._home / 'tiny.py', '--workdir', workdir, *args)

  def _one(self, name: str, *args: str) -> None:
    _finish(self._train(self._home / name, *_CURVE, '--config.cpu_devices=2', *args))

  def _two(self, name: str, *args: str, limits: tuple[str, ...] = ()) -> str:
    """Returns the number of a job of two processes on two nodes."""
    words = ['--config', self._home / 'tiny.py', '--workdir', self._home / name, *_CURVE, '--config.cpu_devices=1']
    script = _TWO_NODES.format(python=sys.executable, arguments=' '.join(map(str, [*words, *args])))
    return self._slurm.submit(script, f'--output={self._home}/%j.out', f'--chdir={ROOT}', *limits)

  def _end(self, number: str, state: str) -> None:
    """Waits for the end of a job; raises where it is another than `state`."""
    wait(lambda: self._slurm.job(number)['JobState'] in _ENDS, 'the end of the job', _LONG)
    found = self._slurm.job(number)['JobState']
    assert found == state, f'{found}: {self._said(number)[-3000:]}'

  def _said(self, number: str) -> str:
    return (self._home / f'{number}.out').read_text()

  def _compare(self, name: str, other: str, steps: int) -> str:
    """Raises where two runs differ by more than rounding; returns by how much they do."""
    curves = []
    for workdir in (self._home / name, self._home / other):
      curves.append(np.array([line['loss'] for line in read_metrics(workdir) if 'loss' in line]))
    assert len(np.unique(curves[0])) == steps, 'a curve that does not change compares nothing'
    apart = float(np.abs(curves[0] - curves[1]).max())
    assert apart <= 1e-5, f'{apart}: {curves}'
    return f'losses of {steps} steps at most {apart:.1e} apart'


def _folder(job: dict[str, str]) -> pathlib.Path:
  """The folder of a grid's job, whose log is in `log/`."""
  return pathlib.Path(job['StdOut']).parent.parent


def _processes(job: dict[str, str]) -> list[psutil.Process]:
  """The process of a grid's job, whichever node it is on."""
  found = ((process, process.info['cmdline'] or ['']) for process in psutil.process_iter(['cmdline']))
  return [process for process, words in found if 'python' in words[0] and str(_folder(job) / 'log') in words]


def _waits(process: psutil.Process, number: int) -> bool:
  """Whether a signal waits for a process that stands still; not where it has ended."""
  with contextlib.suppress(FileNotFoundError, ProcessLookupError):
    status = pathlib.Path(f'/proc/{process.pid}/status').read_text()
    return any(int(mask, 16) >> (number - 1) & 1 for mask in re.findall(r'(?:SigPnd|ShdPnd):\s+(\w+)', status))
  return False


def _finish(process: subprocess.Popen) -> None:
  stdout, stderr = process.communicate(timeout=_LONG)
  assert process.returncode == 0, stdout[-2000:] + stderr[-2000:]


def main() -> None:
  """Reads the options, tries everything, and prints the table."""
  parser = argparse.ArgumentParser('python tests/torture/slurm.py')
  parser.add_argument('--only', default='', help='trials whose name holds one of these words, with commas')
  words = [word for word in parser.parse_args().only.split(',') if word]
  if lacks := slurm_nodes.missing():
    sys.exit(f'error: {lacks}')
  shutil.rmtree(_FAILED, ignore_errors=True)
  table, failed = Table('tried', 'held', 'seen', 'seconds', title=slurm_nodes.version()), 0
  os.environ |= _ENVIRONMENT
  with tempfile.TemporaryDirectory(prefix='slurm') as folder, tempfile.TemporaryDirectory(prefix='trials') as home:
    home = pathlib.Path(home)
    os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(home / 'compiled'))
    toy.build(home / 'data', ['velocity'])
    changes = toy.changes(home / 'data')
    changes['optimizer'] |= _SAME_PROGRAM
    toy.write_config(home / 'tiny.py', changes)
    with Slurm(pathlib.Path(folder)) as slurm:
      trials = Trials(slurm, home)
      for trial in (getattr(trials, name) for name in TRIALS):
        if words and not any(word in trial.__name__ for word in words):
          continue
        begin, held = time.monotonic(), 'yes'
        try:
          seen = trial()
        except Exception:
          held, seen, failed = 'NO', traceback.format_exc(limit=3)[-1500:], failed + 1
          shutil.copytree(
            home, _FAILED / trial.__name__, ignore=shutil.ignore_patterns('data', 'compiled', 'checkpoints')
          )
          for log in pathlib.Path(folder).glob('*.log'):
            shutil.copy(log, _FAILED / trial.__name__)
        table.add_row(trial.__doc__, held, seen, f'{time.monotonic() - begin:.0f}')
        Console(stderr=True).print(f'{trial.__doc__}: {held}: {seen}', markup=False)
  Console().print(table)
  sys.exit(failed > 0)


if __name__ == '__main__':
  main()
