"""A write that is still going on when another fails finds its event loop there."""

import asyncio
import threading
import time

import pytest

from ear_jax.training.patient_loops import patient_loops


def _run(said: list) -> None:
  """One of two tasks fails while a thread works for the other, as TensorStore's threads do for Orbax."""

  async def slow():
    loop, written = asyncio.get_running_loop(), asyncio.Event()

    def write():
      time.sleep(0.1)
      try:
        loop.call_soon_threadsafe(written.set)
        said.append('told')
      except RuntimeError as fault:
        said.append(str(fault))

    threads.append(threading.Thread(target=write))
    threads[-1].start()
    await written.wait()
    said.append('written')

  async def full():
    raise OSError('no space left')

  async def save():
    await asyncio.gather(slow(), full())

  threads = []
  loop = asyncio.new_event_loop()  # as Orbax does it
  try:
    loop.run_until_complete(save())
  finally:
    loop.close()
    threads[0].join()


def test_what_goes_on_when_a_task_fails_comes_to_its_end():
  said = []
  with patient_loops(), pytest.raises(OSError, match='no space left'):
    _run(said)
  assert sorted(said) == ['told', 'written']  # whichever thread comes first


def test_loops_are_as_before_afterwards():
  with patient_loops():
    pass
  said = []
  with pytest.raises(OSError, match='no space left'):
    _run(said)
  assert said == ['Event loop is closed']
