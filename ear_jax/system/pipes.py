"""A closed output pipe is no error: `command | head` closes it as soon as it has its lines."""

import os
import sys


def unread(last: str = '') -> bool:
  """Writes out what is left for standard output; returns whether the pipe was closed; the output is then dropped."""
  try:
    sys.stdout.write(last)
    sys.stdout.flush()
  except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tells of it when it ends
    return True
  return False
