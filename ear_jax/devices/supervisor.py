"""A parent process that waits for the training process, and reports the error when jax aborts that one.

jax aborts a process that lost the others from a C++ thread: no Python code of that process runs again. To the caller
the two look like one process: signals are passed to the child, its exit status is returned, and both end together.
"""

import contextlib
import os
import signal
import sys
import threading

from ear_jax.system.errors import UserError

_PASSED_ON = (signal.SIGTERM, signal.SIGINT)  # any other that ends the parent ends the child with it


def go_on_in_child(aborted: str) -> None:
  """Forks, before jax is first used, and returns in the child; the parent waits for it and ends as it did.

  Raises: UserError in the parent, saying `aborted`, when the child was aborted.
  """
  sys.stdout.flush()  # or both would write what is in the buffer
  reading, writing = os.pipe()
  # Held back until the parent can pass them on: the child may be told before the parent has run another line.
  before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
  child = os.fork()
  if not child:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(writing)
    os.setpgid(0, 0)  # a terminal tells its whole group of Ctrl-C: the child would hear of it twice, which interrupts
    signal.signal(signal.SIGABRT, signal.SIG_DFL)  # absl's would print where each thread stands, around jax's reason
    threading.Thread(target=_end_with_parent, args=(reading,), daemon=True).start()
    return
  os.close(reading)
  for number in _PASSED_ON:
    signal.signal(number, lambda number, _: _pass_on(child, number))
  signal.pthread_sigmask(signal.SIG_SETMASK, before)
  status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  if status == -signal.SIGABRT:
    raise UserError(aborted)
  if status < 0:
    _end_by(-status)
  sys.exit(status)


def _end_with_parent(pipe: int) -> None:
  os.read(pipe, 1)  # nothing is ever written: it returns when the parent, which holds the other end, is gone
  os.kill(os.getpid(), signal.SIGKILL)


def _pass_on(child: int, number: int) -> None:
  with contextlib.suppress(ProcessLookupError):  # it has just ended
    os.kill(child, number)


def _end_by(number: int) -> None:
  if number != signal.SIGKILL:  # which has no handler
    signal.signal(number, signal.SIG_DFL)
  os.kill(os.getpid(), number)
