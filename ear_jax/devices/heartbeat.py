"""Notices that another process of a run is gone: sums over the devices of both would wait for it for ever.

Every process writes a number that grows to the coordinator's table, from a thread of its own, and reads those of the
others. jax's own heartbeat notices as well, but ends the process by an abort without a sentence.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import jax
from jax._src import distributed  # the coordinator's table has no public name

_SECONDS = 5.0  # between two beats
_FOLDER = 'ear_jax/alive'
_LEFT = 'left'


class Silence:
  """Since when nothing new was heard from others.

  Args:
    others: numbers of the other processes.
    limit: seconds after which a process that says nothing new is silent.
    now: the clock when this begins.
  """

  def __init__(self, others: Iterable[int], limit: float, now: float):
    self._limit, self._looked = limit, now
    self._heard: dict[int, tuple[str | None, float]] = {other: (None, now) for other in others}

  def look(self, values: Mapping[int, str], now: float) -> list[int]:
    """Returns who is silent, given what each said last; who left in peace never is.

    After a pause of this process, in which the machine may have slept with all of them, everyone is heard anew.
    """
    paused, self._looked = now - self._looked > self._limit / 2, now
    for other, (said, _) in self._heard.items():
      if paused or values.get(other) != said:
        self._heard[other] = (values.get(other), now)
    return [other for other, (said, since) in self._heard.items() if said != _LEFT and now - since > self._limit]


@contextlib.contextmanager
def watched(limit: float, lost: Callable[[list[int]], None]) -> Iterator[None]:
  """Watches the other processes during the block; `lost` is called, in a thread, with the numbers of those gone.

  Args:
    limit: seconds of silence after which a process is gone.
    lost: ends this process.
  """
  leaving = threading.Event()
  thread = threading.Thread(target=_beat, args=(leaving, limit, lost), daemon=True, name='heartbeat')
  thread.start()
  yield  # not in a `finally`: who fails does not say that it left
  leaving.set()
  thread.join()


def _beat(leaving: threading.Event, limit: float, lost: Callable[[list[int]], None]) -> None:
  client, me = distributed.global_state.client, jax.process_index()
  silence = Silence(set(range(jax.process_count())) - {me}, limit, time.monotonic())
  for beat in itertools.count():
    ended = leaving.wait(_SECONDS)
    try:
      client.key_value_set(f'{_FOLDER}/{me}', _LEFT if ended else str(beat), allow_overwrite=True)
      table = client.key_value_dir_get(_FOLDER)
    except jax.errors.JaxRuntimeError:
      if not ended:
        lost([0])  # the coordinator is a part of process 0
      return
    if ended:
      return
    values = {int(key.rsplit('/', 1)[1]): value for key, value in table}
    if silent := silence.look(values, time.monotonic()):
      lost(silent)
      return
