"""Output that nobody reads any more: `command | head` closes the pipe when it has its lines, and that is no fault."""

import os
import sys


def unread(last: str = '') -> bool:
  """Writes out what is left for standard output; returns whether nobody reads it, and drops it then without a word."""
  try:
    sys.stdout.write(last)
    sys.stdout.flush()
  except BrokenPipeError:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tells of it when it ends
    return True
  return False
