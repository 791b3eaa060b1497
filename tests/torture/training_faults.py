"""Faults on a training run: real processes, real files, and every bit of the result compared with an unbroken run's."""

import contextlib
import functools
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# As in tests/conftest.py, before jax is imported.
os.environ |= {'NPROC': '8', 'JAX_PLATFORMS': 'cpu', 'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}

import command_line
import toy
from registry import Fault, Outcome
from traces import figures, final_bytes, last_step

_LIMIT = 900  # seconds that any one process may take
_SHARD = 'toy/velocity/1.0.0/toy-train.array_record-00000-of-00001'
_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
/* The wall clock jumps by up to CLOCK_JUMP seconds either way, every time that it is read. */
static long jump(void) {
  static unsigned state = 12345;
  state = state * 1664525u + 1013904223u;
  long range = atol(getenv("CLOCK_JUMP") ? getenv("CLOCK_JUMP") : "0");
  return range ? (long)(state >> 8) % (2 * range) - range : 0;
}
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, t);
  if (id == CLOCK_REALTIME) t->tv_sec += jump();
  return status;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now;
  int status = clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec, t->tv_usec = now.tv_nsec / 1000;
  return status;
}
time_t time(time_t *t) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t) *t = now.tv_sec;
  return now.tv_sec;
}
"""


@functools.cache
def _home() -> pathlib.Path:
  """A folder for what all faults share: data, configuration, what XLA compiled. Removed at the end."""
  keeper = tempfile.TemporaryDirectory(prefix='torture_training_')
  home = pathlib.Path(keeper.name)
  _home.keeper = keeper
  os.environ['JAX_COMPILATION_CACHE_DIR'] = str(home / 'compiled')
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'
  toy.build(home / 'data', ['velocity'])
  changes = toy.changes(home / 'data')
  toy.write_config(home / 'tiny.py', changes | {'steps': 60, 'eval': {'every': 5}})
  return home


@functools.cache
def _unbroken() -> tuple[dict, list, float]:
  """The last bytes and the figures of a run that nobody disturbed, and how long it took."""
  workdir, begin = _home() / 'unbroken', time.monotonic()
  _finish(workdir)
  return final_bytes(workdir), figures(workdir), time.monotonic() - begin


def _start(workdir, *args) -> subprocess.Popen:
  return command_line.start('ear_jax.train', '--config', _home() / 'tiny.py', '--workdir', workdir, *args)


def _end(process) -> command_line.Outcome:
  with process:
    stdout, stderr = process.communicate(timeout=_LIMIT)
  return command_line.Outcome(process.returncode, stdout, stderr)


def _finish(workdir, *args) -> str:
  outcome = _end(_start(workdir, *args))
  assert outcome.status == 0, outcome.stderr
  return outcome.stderr


def _judge(workdir, before: int = 0) -> Outcome:
  """Whether a resumed run went on at `before` or later and came to the end of the unbroken one."""
  said = _finish(workdir)
  expected, lines, _ = _unbroken()
  if before and f'resuming at step {before}' not in said:
    return Outcome.failed(f'did not resume at step {before}: {said[-500:]}', 'a finished checkpoint')
  if final_bytes(workdir) != expected:
    return Outcome.failed('other bits than the unbroken run')
  if figures(workdir) != lines:
    return Outcome.failed('a step is missing in metrics.jsonl, twice there, or another')
  return Outcome()


def _latest(workdir) -> int:
  folder = workdir / 'checkpoints'
  return max((int(p.name) for p in folder.iterdir() if p.name.isdecimal()), default=0) if folder.exists() else 0


def _wait(process, come, every=0.001) -> bool:
  """Waits until `come()`; False when the process ended before."""
  deadline = time.monotonic() + _LIMIT
  while process.poll() is None:
    if come():
      return True
    assert time.monotonic() < deadline, 'the moment never came'
    time.sleep(every)
  return False


def kill_at_random(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL after a random time, three times; the fourth run is left alone."""
  chance, (_, _, seconds) = random.Random(seed), _unbroken()
  for _ in range(3):
    process = _start(workdir)
    with process:
      with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(chance.uniform(0, seconds))
      process.kill()
  return _judge(workdir, _latest(workdir))


def kill_while_saving(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL while a checkpoint is half-written: its temporary folder is there, and a random moment has passed."""
  chance, half = random.Random(seed), 0
  for _ in range(3):
    process, skip = _start(workdir), chance.randrange(3)
    first = _latest(workdir)
    with process:

      def saving(first=first, skip=skip):
        return _latest(workdir) >= first + 5 * skip and any((workdir / 'checkpoints').glob('*tmp*'))

      if _wait(process, saving, every=0.0005):
        time.sleep(chance.uniform(0, 0.1))
      process.kill()
    half += any((workdir / 'checkpoints').glob('*tmp*'))
  outcome = _judge(workdir, _latest(workdir))
  if any((workdir / 'checkpoints').glob('*tmp*')):
    return Outcome.failed('half a checkpoint is left lying about')
  return outcome if half or outcome.failures else Outcome(lost='nothing (no half checkpoint was met)')


def kill_while_compiling(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGKILL during the first compilation, whose cache is empty and left half-written."""
  chance, cache = random.Random(seed), _home() / f'cache_{seed}'
  _unbroken()
  before, os.environ['JAX_COMPILATION_CACHE_DIR'] = os.environ['JAX_COMPILATION_CACHE_DIR'], str(cache)
  try:
    process = _start(workdir)
    with process:
      _wait(process, cache.exists)
      time.sleep(chance.uniform(0, 3))
      process.kill()
    if last_step(workdir):
      return Outcome.failed('killed too late: the first step was done')
    return _judge(workdir)
  finally:
    os.environ['JAX_COMPILATION_CACHE_DIR'] = before


def terminate(seed: int, workdir: pathlib.Path) -> Outcome:
  """SIGTERM at a random moment once training goes on: saves, says so and exits with 0."""
  chance = random.Random(seed)
  process, step = _start(workdir), chance.randrange(1, 50)
  assert _wait(process, lambda: last_step(workdir) >= step)
  time.sleep(chance.uniform(0, 0.05))
  process.send_signal(signal.SIGTERM)
  outcome = _end(process)
  saved = _latest(workdir)
  if outcome.status != 0 or f'stopped at step {saved}' not in outcome.stderr or saved < step:
    return Outcome.failed(f'status {outcome.status}, saved {saved}, at {step}: {outcome.stderr[-500:]}')
  return _judge(workdir, saved)


def disk_full(seed: int, workdir: pathlib.Path) -> Outcome:
  """A file system of so few bytes that a checkpoint or a line of figures no longer fits; then it grows."""
  chance = random.Random(seed)
  _unbroken()
  with _mounted(workdir, f'size={chance.randrange(60, 1000)}k') as disk:
    outcome = _end(_start(disk / 'run'))
    if outcome.status != 1 or 'Traceback' in outcome.stderr or outcome.stderr.count('error:') != 1:
      return Outcome.failed(f'status {outcome.status}: {outcome.stderr[-1500:]}')
    saved = _latest(disk / 'run')
    _remount(disk, 'size=50m')
    return _judge(disk / 'run', saved)


def read_only(seed: int, workdir: pathlib.Path) -> Outcome:
  """The working directory lies on a read-only disk from the start, or its checkpoints cannot be added to later on."""
  chance = random.Random(seed)
  _unbroken()
  with _mounted(workdir, 'ro') if seed % 2 == 0 else contextlib.nullcontext(workdir) as disk:
    run = disk / 'run'
    process = _start(run)
    if seed % 2:
      step = chance.randrange(1, 40)
      assert _wait(process, lambda: last_step(run) >= step)
      subprocess.run(['chattr', '+i', run / 'checkpoints'], check=True)
    outcome = _end(process)
    if seed % 2:
      subprocess.run(['chattr', '-i', run / 'checkpoints'], check=True)
    else:
      _remount(disk, 'rw')
    if outcome.status != 1 or 'Traceback' in outcome.stderr or outcome.stderr.count('error:') != 1:
      return Outcome.failed(f'status {outcome.status}: {outcome.stderr[-1500:]}')
    return _judge(run, _latest(run))


def damaged_checkpoint(seed: int, workdir: pathlib.Path) -> Outcome:
  """The last checkpoint has a bit flipped, a file cut or removed: the one before is used, and that is said."""
  chance = random.Random(seed)
  process = _start(workdir)
  step = chance.randrange(15, 55)
  with process:
    assert _wait(process, lambda: _latest(workdir) >= step)
    process.kill()
  steps = sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir() if p.name.isdecimal())
  listed = [s for s in steps if (workdir / f'checkpoints/{s}.sha256').exists()]
  if listed[-1] != steps[-1]:  # killed before it was listed: that one counts as sound
    shutil.rmtree(workdir / f'checkpoints/{steps.pop()}')
  path = chance.choice(sorted(p for p in (workdir / f'checkpoints/{steps[-1]}').rglob('*') if p.is_file()))
  content = bytearray(path.read_bytes())
  match chance.randrange(3):
    case 0:
      content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
      path.write_bytes(content)
    case 1:
      path.write_bytes(content[: chance.randrange(len(content))])
    case 2:
      path.unlink()
  said = _finish(workdir)
  if f'checkpoint {steps[-1]} is damaged' not in said or f'resuming at step {steps[-2]}' not in said:
    return Outcome.failed(f'{path} of {steps}: {said[-800:]}')
  return _judge(workdir)


def damaged_data(seed: int, workdir: pathlib.Path) -> Outcome:
  """A shard is overwritten, cut or removed while training reads it; then it is brought back."""
  chance, data = random.Random(seed), workdir / 'data'
  _unbroken()
  shutil.copytree(_home() / 'data', data)
  run, shard, original = workdir / 'run', data / _SHARD, (_home() / 'data' / _SHARD).read_bytes()
  args = ('--config.data.cache_gb=0', f'--config.data.dir={data}')
  process, step = _start(run, *args), chance.randrange(2, 40)
  assert _wait(process, lambda: last_step(run) >= step)
  how = chance.choice(('noise', 'cut', 'removed'))
  if how == 'removed':
    shard.unlink()
  else:
    with shard.open('r+b') as file:  # the same file, which the run has open
      if how == 'cut':
        file.truncate(chance.randrange(1, len(original)))
      else:
        file.write(chance.randbytes(len(original)))
  outcome = _end(process)
  saved = _latest(run)
  if how == 'removed' and outcome.status == 0:  # an open file stays readable
    return _judge(run, saved)
  if outcome.status != 1 or 'Traceback' in outcome.stderr or str(shard.parent) not in outcome.stderr:
    return Outcome.failed(f'{how} at {step}: status {outcome.status}: {outcome.stderr[-1500:]}')
  again = _end(_start(run, *args))
  if again.status != 1 or 'Traceback' in again.stderr or str(shard.parent) not in again.stderr:
    return Outcome.failed(f'{how}, started again: status {again.status}: {again.stderr[-1500:]}')
  shard.write_bytes(original)
  return _judge(run, saved)


def jumping_clock(seed: int, workdir: pathlib.Path) -> Outcome:
  """The wall clock jumps by up to ten years whenever it is read; a run is killed, its files get random times."""
  chance, library = random.Random(seed), _home() / 'clock.so'
  _unbroken()
  if not library.exists():
    (_home() / 'clock.c').write_text(_CLOCK)
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, _home() / 'clock.c', '-ldl'], check=True)
  os.environ |= {'LD_PRELOAD': str(library), 'CLOCK_JUMP': str(10 * 365 * 86400)}
  try:
    process, step = _start(workdir), chance.randrange(5, 50)
    with process:
      assert _wait(process, lambda: last_step(workdir) >= step)
      process.kill()
    saved = _latest(workdir)
    for path in workdir.rglob('*'):
      os.utime(path, (chance.randrange(2**31),) * 2)
    return _judge(workdir, saved)
  finally:
    del os.environ['LD_PRELOAD'], os.environ['CLOCK_JUMP']


def too_little_memory(seed: int, workdir: pathlib.Path) -> Outcome:
  """The address space ends somewhere between what Python takes and what training needs."""
  chance = random.Random(seed)
  _unbroken()
  limit = chance.randrange(1_500, 6_000) * 1_000_000
  code = (
    f'import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit})); '
    "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
  )
  command = [sys.executable, '-c', code, 'ear_jax.train', '--config', _home() / 'tiny.py', '--workdir', workdir]
  streams = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
  outcome = _end(subprocess.Popen(list(map(str, command)), cwd=command_line.ROOT, **streams))
  result = _judge(workdir, _latest(workdir) if last_step(workdir) else 0)
  if outcome.status not in (0, 1) or (outcome.status == 1 and 'memory' not in outcome.stderr):
    return Outcome.failed(f'{limit / 1e9} GB: status {outcome.status}: {outcome.stderr[-1500:]}', result.lost)
  return result


def killed_for_memory(seed: int, workdir: pathlib.Path) -> Outcome:
  """A control group gets less memory than the run holds while it trains: the kernel kills it; then it gets more."""
  chance, (_, _, seconds) = random.Random(seed), _unbroken()
  group = pathlib.Path(f'/sys/fs/cgroup/memory/torture_{os.getpid()}_{seed}')
  group.mkdir()
  try:
    process, step = _start(workdir), chance.randrange(5, 50)
    with process:
      (group / 'cgroup.procs').write_text(str(process.pid))
      assert _wait(process, lambda: last_step(workdir) >= step)
      for megabytes in range(1000, 0, -50):
        with contextlib.suppress(OSError):
          (group / 'memory.limit_in_bytes').write_text(f'{megabytes}M')
        time.sleep(0.05)
        if process.poll() is not None:
          break
      status = process.wait(seconds + 60)
    return _judge(workdir, _latest(workdir)) if status == -9 else Outcome.failed(f'was not killed: {status}')
  finally:
    group.rmdir()


def second_run(seed: int, workdir: pathlib.Path) -> Outcome:
  """Several processes begin a run in one working directory at once: one trains, all others are refused."""
  _unbroken()
  outcomes = [_end(process) for process in [_start(workdir) for _ in range(3)]]
  refused = [o for o in outcomes if o.status == 1 and 'is in use by' in o.stderr and 'Traceback' not in o.stderr]
  if sorted(o.status for o in outcomes) != [0, 1, 1] or len(refused) != 2:
    return Outcome.failed('\n'.join(f'{o.status} {o.stderr[-300:]}' for o in outcomes))
  return _judge(workdir)


def run_twice(seed: int, workdir: pathlib.Path) -> Outcome:
  """The same command in another folder."""
  return _judge(workdir)


@contextlib.contextmanager
def _mounted(folder, options):
  subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', folder], check=True)
  try:
    yield folder
  finally:
    subprocess.run(['umount', '--lazy', folder], check=True)


def _remount(folder, options):
  subprocess.run(['mount', '-o', f'remount,{options}', folder], check=True)


FAULTS = (
  Fault('SIGKILL at a random moment, three times a run', kill_at_random, 20),
  Fault('SIGKILL while a checkpoint is written', kill_while_saving, 5),
  Fault('SIGKILL during the first compilation', kill_while_compiling, 5),
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
