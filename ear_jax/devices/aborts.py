"""A last word where C++ aborts the process, as jax does to all others when the one that coordinates them is gone.

Python's own signal handlers wait for the interpreter's next instruction, and there is none: this one is called by the
signal itself, in the thread that aborts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator

_Handler = ctypes.CFUNCTYPE(None, ctypes.c_int)
_kept = []  # handlers are called by address: they must outlive what installed them


@contextlib.contextmanager
def told(sentence: str) -> Iterator[None]:
  """Ends the process with a last line and status 1 when something aborts within the block, or after it failed."""
  line = f'error: {sentence}\n'.encode()

  def farewell(number: int) -> None:
    os.write(2, line)  # not by sys.stderr, whose lock another thread may hold
    os._exit(1)

  install = ctypes.CDLL(None).signal
  install.argtypes, install.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
  _kept.append(_Handler(farewell))
  before = install(signal.SIGABRT, ctypes.cast(_kept[-1], ctypes.c_void_p))
  yield  # not in a `finally`: jax may abort a process while it tells of its own failure
  install(signal.SIGABRT, before)
