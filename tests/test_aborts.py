"""The last word of a process that aborts itself, which no handler of Python's own would say."""

import signal
import subprocess
import sys

import pytest

_CODE = """
import os
from ear_jax import aborts

def farewell():
  print('farewell', flush=True)
  os._exit(1)

try:
  with aborts.told(farewell):
    {within}
except OSError:
  pass
os.abort()
"""


@pytest.mark.parametrize(
  ('within', 'status', 'said'),
  [
    ('os.abort()', 1, 'farewell'),
    ('import threading; thread = threading.Thread(target=os.abort); thread.start(); thread.join()', 1, 'farewell'),
    ('raise OSError', 1, 'farewell'),  # aborted while it tells of its own failure
    ('pass', -signal.SIGABRT, ''),
  ],
)
def test_who_aborts_says_farewell_unless_all_went_well_before(within, status, said):
  code = _CODE.format(within=within)
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
  assert (done.returncode, done.stdout.strip()) == (status, said), done.stderr
