"""What the processes of a run agree on; with one process nothing is sent."""

import hashlib
import itertools

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import multihost

from ear_jax.system.errors import UserError

_LATE_SECONDS = 3600  # that processes wait for the last
_COUNTER = itertools.count()  # the coordinator knows each name once


def is_first() -> bool:
  """Returns whether this is the process that writes logs and files."""
  return jax.process_index() == 0


def wait_for_all(name: str) -> None:
  """Returns when all processes have come here; `name` is of this place alone.

  Asks the coordinator, not the devices: their first exchange gives up after 30 s, and reading data can take longer.
  """
  if jax.process_count() > 1:
    multihost.get_barrier_sync_fn()(key=f'{name} {next(_COUNTER)}', timeout_ms=1000 * _LATE_SECONDS)


def from_first(value: float) -> float:
  """Returns the value of process 0, in float32 where there are others: computed anew, the last digits may differ."""
  if jax.process_count() == 1:
    return value
  return float(multihost_utils.broadcast_one_to_all(np.float32(value)))


def largest(value: int) -> int:
  """Returns the largest of the values of all processes."""
  if jax.process_count() == 1:
    return value
  return int(np.max(multihost_utils.process_allgather(np.int32(value))))


def check_same(**facts: object) -> None:
  """Raises UserError, in every process, when one of the facts is not the same in all processes."""
  if jax.process_count() == 1:
    return
  digests = np.stack([np.frombuffer(hashlib.sha256(repr(fact).encode()).digest(), np.uint8) for fact in facts.values()])
  everywhere = np.asarray(multihost_utils.process_allgather(digests))  # [P, facts, 32]
  differing = [name for i, name in enumerate(facts) if (everywhere[:, i] != everywhere[0, i]).any()]
  if differing:
    raise UserError(
      f'the processes do not have the same {" and ".join(differing)}: give all of them one command, and a --workdir '
      'and data that all machines share'
    )
