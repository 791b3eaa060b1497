"""Faults on a training run: real processes, real files, and every bit of the result compared with an unbroken run's."""

import contextlib
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time

import command_line
from registry import Fault, Outcome
from toy_runs import (
  EVERY,
  STEPS,
  arguments,
  copy_data,
  end,
  finish,
  half_written,
  home,
  judge,
  latest,
  saved,
  sentence_missing,
  start,
  unbroken,
  wait,
)
from traces import last_step

_TEN_YEARS = 10 * 365 * 86400


def kill_at_random(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL after a random time."""
  chance, (_, _, seconds) = random.Random(seed), unbroken()
  process = start(workdir)
  time.sleep(chance.uniform(0, seconds))
  process.send(signal.SIGKILL)
  end(process)
  return judge(workdir, latest(workdir))


def kill_while_saving(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL while a checkpoint is half-written: its temporary folder is there, and a random moment has passed."""
  chance = random.Random(seed)
  unbroken()
  process, after = start(workdir), chance.randrange(0, STEPS - EVERY, EVERY)
  wait(process, lambda: latest(workdir) >= after and half_written(workdir), every=0.0003)
  time.sleep(chance.uniform(0, 0.05))
  process.send(signal.SIGKILL)
  end(process)
  met = half_written(workdir)
  outcome = judge(workdir, latest(workdir))
  if half_written(workdir):
    return Outcome.failed('half a checkpoint is left lying about')
  return outcome if met or outcome.failures else Outcome(tried=0, survived=0)  # it was whole a moment before


def kill_while_compiling(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL during the first compilation, whose cache is empty and left half-written."""
  chance, cache = random.Random(seed), home() / f'cache_{seed}'
  unbroken()
  before, os.environ['JAX_COMPILATION_CACHE_DIR'] = os.environ['JAX_COMPILATION_CACHE_DIR'], str(cache)
  try:
    with command_line.start(*arguments(workdir)) as process:
      while process.poll() is None and not cache.exists():
        time.sleep(0.001)
      time.sleep(chance.uniform(0, 3))
      process.kill()
      process.communicate()
    late = last_step(workdir) > 0
    with command_line.start(*arguments(workdir)) as process:  # with what is left of the cache
      process.communicate()
    return Outcome.failed('killed too late: the first step was done') if late else judge(workdir)
  finally:
    os.environ['JAX_COMPILATION_CACHE_DIR'] = before


def terminate(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGTERM at a random moment once training goes on: saves, says so and exits with 0."""
  chance = random.Random(seed)
  unbroken()
  process, step = start(workdir), chance.randrange(1, STEPS - 3)
  assert wait(process, lambda: last_step(workdir) >= step)
  time.sleep(chance.uniform(0, 0.05))
  process.send(signal.SIGTERM)
  outcome = end(process)
  there = latest(workdir)
  if outcome.status != 0 or f'stopped at step {there}' not in outcome.stderr or there < step:
    return Outcome.failed(f'status {outcome.status}, saved {there}, at {step}: {outcome.stderr[-500:]}')
  return judge(workdir, there)


def disk_full(seed: int, workdir: pathlib.Path) -> Outcome:
  """A file system of so few bytes that a checkpoint or a line of figures no longer fits; then it grows."""
  chance = random.Random(seed)
  unbroken()
  with _mounted(workdir, f'size={chance.randrange(40, 1000)}k'):
    outcome = end(start(workdir / 'run'))
    if failure := sentence_missing(outcome, 'run'):
      return failure
    there = latest(workdir / 'run')
    _remount(workdir, 'size=50m')
    return judge(workdir / 'run', there)


def read_only(seed: int, workdir: pathlib.Path) -> Outcome:
  """The working directory lies on a read-only disk from the start, or its checkpoints cannot be added to later on."""
  unbroken()
  return _locked_later(random.Random(seed), workdir / 'run') if seed % 2 else _locked_at_first(workdir)


def _locked_at_first(workdir):
  with _mounted(workdir, 'ro'):
    outcome = end(start(workdir / 'run'))
    _remount(workdir, 'rw')
    return sentence_missing(outcome, 'Read-only') or judge(workdir / 'run')


def _locked_later(chance, run):
  process, step = start(run), chance.randrange(1, STEPS - 2)
  assert wait(process, lambda: last_step(run) >= step)
  subprocess.run(['chattr', '+i', run / 'checkpoints'], check=True)
  try:
    outcome = end(process)
  finally:
    subprocess.run(['chattr', '-i', run / 'checkpoints'], check=True)
  return sentence_missing(outcome, 'checkpoints') or judge(run, latest(run))


def damaged_checkpoint(seed: int, workdir: pathlib.Path) -> Outcome:
  """The last checkpoint has a bit flipped, a file cut or removed: the one before is used, and that is said."""
  chance = random.Random(seed)
  unbroken()
  process, step = start(workdir), chance.randrange(2 * EVERY, STEPS)
  assert wait(process, lambda: latest(workdir) >= step)
  process.send(signal.SIGKILL)
  end(process)
  steps = saved(workdir)
  if not (workdir / f'checkpoints/{steps[-1]}.sha256').exists():  # killed before it was listed: it counts as sound
    shutil.rmtree(workdir / f'checkpoints/{steps.pop()}')
  path = chance.choice(sorted(p for p in (workdir / f'checkpoints/{steps[-1]}').rglob('*') if p.is_file()))
  _damage(path, chance.choice(('flipped', 'cut', 'removed')), chance)
  said = finish(workdir)
  if f'checkpoint {steps[-1]} is damaged' not in said or f'resuming at step {steps[-2]}' not in said:
    return Outcome.failed(f'{path} of {steps}: {said[-800:]}')
  return judge(workdir)


def damaged_data(seed: int, workdir: pathlib.Path) -> Outcome:
  """A shard is overwritten, cut or removed while training reads it; then it is brought back."""
  chance = random.Random(seed)
  unbroken()
  shard, run = copy_data(workdir / 'data'), workdir / 'run'
  args, original = ('--config.data.cache_gb=0', f'--config.data.dir={workdir / "data"}'), shard.read_bytes()
  process, step = start(run, *args), chance.randrange(2, STEPS - 8)
  assert wait(process, lambda: last_step(run) >= step)
  how = ('overwritten', 'cut', 'removed')[seed % 3]
  _damage(shard, how, chance)
  outcome, there = end(process), latest(run)
  # An open file stays readable when it is removed, and behind its records are padding and an index that was read
  # before: a cut there is not seen until the file is opened again. A run that ends so must have the right bits.
  if how != 'overwritten' and outcome.status == 0:
    return judge(run)
  if failure := sentence_missing(outcome, str(shard.parent)):
    return failure
  if failure := sentence_missing(end(start(run, *args)), str(shard.parent)):
    return failure
  shard.write_bytes(original)
  return judge(run, there)


def jumping_clock(seed: int, workdir: pathlib.Path) -> Outcome:
  """The wall clock jumps by up to ten years whenever it is read; a run is killed, its files get random times."""
  chance, library = random.Random(seed), home() / 'clock.so'
  unbroken()
  if not library.exists():
    source = pathlib.Path(__file__).with_name('clock.c')
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, source, '-ldl'], check=True)
  os.environ |= {'LD_PRELOAD': str(library), 'CLOCK_JUMP': str(_TEN_YEARS)}
  try:
    step = chance.randrange(EVERY, STEPS - 2)
    with command_line.start(*arguments(workdir)) as process:
      while process.poll() is None and last_step(workdir) < step:
        time.sleep(0.001)
      process.kill()
    there = latest(workdir)
    for path in workdir.rglob('*'):
      os.utime(path, (chance.randrange(2**31),) * 2)
    with command_line.start(*arguments(workdir)) as process:
      said = process.communicate()[1]
  finally:
    del os.environ['LD_PRELOAD'], os.environ['CLOCK_JUMP']
  if process.returncode or (there and f'resuming at step {there}' not in said):
    return Outcome.failed(f'status {process.returncode}: {said[-1500:]}')
  return judge(workdir)


def too_little_memory(seed: int, workdir: pathlib.Path) -> Outcome:
  """The address space ends somewhere between what the imports take and what training needs."""
  unbroken()
  limit = random.Random(seed).randrange(2_500, 5_000) * 1_000_000
  outcome = end(start(workdir, limits={resource.RLIMIT_AS: limit}))
  enough = outcome.status == 0
  failure = None if enough else sentence_missing(outcome, 'memory')
  return failure or judge(workdir, latest(workdir))


def killed_for_memory(seed: int, workdir: pathlib.Path) -> Outcome:
  """A control group gets less memory than the run holds while it trains: the kernel kills it; then it gets more."""
  chance = random.Random(seed)
  unbroken()
  group = pathlib.Path(f'/sys/fs/cgroup/memory/torture_{os.getpid()}_{seed}')
  group.mkdir()
  try:
    process, step = start(workdir), chance.randrange(3, STEPS - 3)
    (group / 'cgroup.procs').write_text(str(process.pid))
    assert wait(process, lambda: last_step(workdir) >= step)
    process.send(signal.SIGSTOP)  # or it may be at its end before the limit is low enough
    for megabytes in range(1000, 0, -1):
      with contextlib.suppress(OSError):  # below what it holds
        (group / 'memory.limit_in_bytes').write_text(f'{megabytes}M')
    process.send(signal.SIGCONT)
    outcome = end(process)
  finally:
    with contextlib.suppress(OSError):
      group.rmdir()
  return judge(workdir, latest(workdir)) if outcome.status == -9 else Outcome.failed(f'not killed: {outcome}')


def second_run(seed: int, workdir: pathlib.Path) -> Outcome:
  """Three processes begin a run in one working directory at once: one trains, the others are refused."""
  unbroken()
  outcomes = [end(process) for process in [start(workdir) for _ in range(3)]]
  if sorted(outcome.status for outcome in outcomes) != [0, 1, 1]:
    return Outcome.failed('\n'.join(f'{o.status} {o.stderr[-300:]}' for o in outcomes))
  failures = (sentence_missing(o, 'is in use by', 'another folder') for o in outcomes if o.status)
  return next((failure for failure in failures if failure), None) or judge(workdir)


def run_twice(seed: int, workdir: pathlib.Path) -> Outcome:
  """The same command in another folder."""
  return judge(workdir)


def _damage(path, how, chance):
  content = bytearray(path.read_bytes())
  if how == 'removed':
    path.unlink()
    return
  with path.open('r+b') as file:  # the same file, which a run may have open
    if how == 'cut':
      file.truncate(chance.randrange(1, len(content)))
    elif how == 'flipped':
      content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
      file.write(content)
    else:
      file.write(chance.randbytes(len(content)))


@contextlib.contextmanager
def _mounted(folder, options):
  subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder], check=True)
  try:
    yield
  finally:
    subprocess.run(['umount', '--lazy', folder], check=True)


def _remount(folder, options):
  subprocess.run(['mount', '-o', f'remount,{options}', folder], check=True)


FAULTS = (
  Fault('SIGKILL at a random moment', kill_at_random, 20),
  Fault('SIGKILL while a checkpoint is written', kill_while_saving, 10),
  Fault('SIGKILL during the first compilation', kill_while_compiling, 3),
  Fault('SIGTERM (preemption)', terminate, 10),
  Fault('disk full', disk_full, 10),
  Fault('working directory read-only, from the start or from a step on', read_only, 6),
  Fault('checkpoint with a bit flipped, cut, or a file removed', damaged_checkpoint, 10),
  Fault('data shard overwritten, cut or removed during the run', damaged_data, 9),
  Fault('wall clock jumps by up to ten years at every reading', jumping_clock, 3),
  Fault('address space too small', too_little_memory, 10),
  Fault('killed by the kernel for lack of memory', killed_for_memory, 3),
  Fault('three runs begin in one working directory', second_run, 3),
  Fault('the same run again', run_twice, 3),
)
