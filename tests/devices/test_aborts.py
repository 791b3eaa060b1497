"""The last word of a process that aborts itself, which no handler of Python's own would say."""

import signal
import subprocess
import sys

import pytest

_CODE = """
import os
from ear_jax.devices import aborts

try:
  with aborts.told('farewell'):
    {within}
except OSError:
  pass
os.abort()
"""


@pytest.mark.parametrize(
  ('within', 'status', 'said'),
  [
    ('os.abort()', 1, 'error: farewell\n'),
    (
      'import threading as t; other = t.Thread(target=os.abort); other.start(); other.join()',
      1,
      'error: farewell\n',
    ),
    ('raise OSError', 1, 'error: farewell\n'),  # aborted while it tells of its own failure
    ('pass', -signal.SIGABRT, ''),
  ],
)
def test_who_aborts_says_farewell_unless_all_went_well_before(within, status, said):
  code = _CODE.format(within=within)
  done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
  assert (done.returncode, done.stderr) == (status, said)
