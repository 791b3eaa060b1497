"""Commands that do what none may, for the test of the sandbox."""

import ctypes
import os
import pathlib
import pickle
import socket

import numpy as np


def writes():
  """Leaves a file where it must not."""
  path = pathlib.Path.cwd() / 'misbehaving.txt'
  path.write_text('')
  path.unlink()


def connects():
  """Calls home."""
  with socket.socket() as one:
    print(os.strerror(one.connect_ex(('127.0.0.1', 9))))


def resolves():
  """Asks for an address."""
  socket.getaddrinfo('localhost', 80)


def unpickles():
  """Runs what a file says."""
  pickle.loads(pickle.dumps(pathlib.PurePosixPath('a')))


def grows():
  """Takes all memory."""
  held = [np.zeros(2**27) for _ in range(64)]
  print(len(held))


def crashes():
  """Ends as a broken library does."""
  ctypes.string_at(0)


def raises():
  """Ends in a traceback."""
  print(1 / 0)
