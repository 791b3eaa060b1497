"""Several processes as one training run: their numbers and addresses; if one ends, all end.

Each machine runs the same command. Under SLURM's `srun` the processes find each other; elsewhere `--coordinator`,
`--num_processes` and `--process_id` say it. `docs/cluster.md` has the rules and an example.
"""

import atexit
import contextlib
import os
import socket
import sys
from collections.abc import Iterator

import jax
from absl import logging

from ear_jax.devices import supervisor
from ear_jax.system.errors import UsageError, UserError

# What collectives and the coordinator say when another process is gone.
_LOST = ('gloo', 'nccl', 'connection', 'unavailable', 'deadline', 'coordination', 'heartbeat')
_JOIN_SECONDS = 300  # that processes wait for the last to start
_SILENCE_SECONDS = 60  # after which jax takes a process for dead and aborts the others; a sign of life each half


def asked_for(coordinator: str | None, num_processes: int | None, process_id: int | None) -> int:
  """Returns how many processes flags or SLURM ask for; 1: this one alone.

  Args:
    coordinator: host:port at which process 0 is reached; None: not given, as the others.
    num_processes: how many there are.
    process_id: which one this is, from 0.

  Raises: UserError when some of them are missing, or do not go together.
  """
  given = {'coordinator': coordinator, 'num_processes': num_processes, 'process_id': process_id}
  if coordinator is None or num_processes is None or process_id is None:
    missing = [f'--{name}' for name, value in given.items() if value is None]
    if len(missing) < len(given):
      lacks = ' and '.join(missing)
      raise UsageError(f'several processes need --coordinator, --num_processes and --process_id: {lacks} not given')
    # Of a step of srun alone: a shell inside an allocation has many tasks too, but is one process.
    return int(os.environ.get('SLURM_STEP_NUM_TASKS', 1))
  if not 0 <= process_id < num_processes:
    raise UsageError(f'--process_id={process_id}: with --num_processes={num_processes} it is 0 or more, and less')
  if not coordinator.rpartition(':')[2].isdecimal():
    raise UsageError(f'--coordinator={coordinator}: expected host:port, such as node1:12345')
  return num_processes


@contextlib.contextmanager
def joined(processes: int, coordinator: str | None, process_id: int | None) -> Iterator[None]:
  """Joins this process to the others, before jax is first used; a process that fails within the block ends them all.

  With others the block runs in a child of this process (`supervisor.py`). Only process 0 logs what is no warning.

  Args:
    processes: what `asked_for` returned; with 1 nothing is done.
    coordinator: as there.
    process_id: as there.

  Raises: UserError when the others are not found, or this process was aborted.
  """
  if processes == 1:
    yield
    return
  if coordinator is not None and process_id == 0:
    _check_port(coordinator)
  supervisor.go_on_in_child(_aborted(process_id, processes))
  jax.config.update('jax_enable_preemption_service', False)  # it would take SIGTERM away from us
  alone = coordinator is None  # by jax, from SLURM's environment
  try:
    jax.distributed.initialize(
      coordinator_address=coordinator,
      num_processes=None if alone else processes,
      process_id=process_id,
      cluster_detection_method=None if alone else 'deactivate',
      initialization_timeout=_JOIN_SECONDS,
      heartbeat_timeout_seconds=_SILENCE_SECONDS,
    )
  except (RuntimeError, ValueError) as fault:
    said = ' '.join(str(fault).split())[:200]
    raise UserError(f'the {processes} processes did not find each other: {said}') from fault
  if jax.process_index() > 0:
    logging.set_verbosity(logging.WARNING)
  logging.info('process %d of %d, %d devices in all', jax.process_index(), processes, jax.device_count())
  try:
    yield
  except BaseException as fault:
    # Runs before jax's own farewell, which would wait for the others: they end when this process is gone.
    atexit.register(_leave)
    if isinstance(fault, jax.errors.JaxRuntimeError) and any(words in str(fault).lower() for words in _LOST):
      said = ' '.join(str(fault).split())[:200]
      raise UserError(
        f'process {jax.process_index()} of {processes} lost the others ({said}): see what they said; the same commands '
        'go on from the last checkpoint'
      ) from fault
    raise


def _check_port(coordinator: str) -> None:
  """Raises UserError when jax could not listen there: it would end by a segmentation fault."""
  dual = socket.has_dualstack_ipv6()
  try:
    socket.create_server(
      ('', int(coordinator.rpartition(':')[2])), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual
    ).close()
  except (OSError, OverflowError) as fault:
    raise UserError(
      f'--coordinator={coordinator}: this machine cannot listen at that port ({fault}): give all processes another'
    ) from fault


def _aborted(process_id: int | None, processes: int) -> str:
  number = os.environ.get('SLURM_PROCID', '?') if process_id is None else process_id
  return (
    f'process {number} of {processes} was aborted, by what the lines above say (most often another process is gone or '
    'cannot be reached: see what it said); the same commands go on from the last checkpoint'
  )


def _leave() -> None:
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(1)
