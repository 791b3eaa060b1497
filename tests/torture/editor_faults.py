"""The editor's server is killed while gestures arrive: whatever it had answered is there when it starts again.

python tests/torture/editor_faults.py
"""

import http.client
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from registry import Fault, Outcome
from surroundings import ROOT, plain_environment

from ear_jax.phantom.study import Size
from ear_jax.workflows.make_phantom import make_phantom

KILLS = 20
_SIZE = Size('phantom_killed', 1, 0, (1,), 8, 64, 2.4, 2.4, offset=2.0, sharing=0.0)
_SLICE = '/api/study/0/slice/1'


class _Server:
  """One life of the server, and a page's questions to it."""

  def __init__(self, study: pathlib.Path, output: pathlib.Path):
    command = [sys.executable, '-m', 'ear_jax.edit', str(study), '--output', str(output), '--nobrowser']
    self.process = subprocess.Popen(
      command, cwd=ROOT, env=plain_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    address = next(line for line in self.process.stdout if line.startswith('open ')).split()[1]
    self._host, _, path = address.removeprefix('http://').partition('/')
    connection = http.client.HTTPConnection(self._host, timeout=60)
    connection.request('GET', f'/{path}')
    self._cookie = connection.getresponse().getheader('set-cookie').partition(';')[0]
    while 'slices' not in self.ask('GET', '/api/study/0'):
      time.sleep(0.1)

  def ask(self, method: str, path: str, body: dict | None = None) -> dict:
    """Returns the answer. Raises: OSError or HTTPException when the server died meanwhile."""
    connection = http.client.HTTPConnection(self._host, timeout=60)
    headers = {'Cookie': self._cookie, 'Content-Type': 'application/json'}
    connection.request(method, path, body and json.dumps(body), headers)
    return json.loads(connection.getresponse().read())

  def kill(self) -> None:
    """Ends it as a power cut does: it gets no word."""
    self.process.send_signal(signal.SIGKILL)
    self.process.wait()
    self.process.stdout.close()


def _ring(state: dict, frame: int, dice: random.Random) -> dict:
  """A round contour about where the heart is, never the same twice."""
  turn = np.arange(32) * (2 * np.pi / 32)
  circle = np.stack([np.sin(turn), np.cos(turn)], -1)
  middle, radius = np.array([32.0, 32.0]) + dice.uniform(-1, 1), dice.uniform(5, 7)
  sides = {'endo': middle + radius * circle, 'epi': middle + (radius + 4) * circle}
  frames = {str(frame): {side: np.round(points, 3).tolist() for side, points in sides.items()}}
  return {'version': state['version'], 'what': 'handle', 'frames': frames}


def _edit_until_killed(server: _Server, dice: random.Random) -> tuple[dict, dict]:
  """Returns the last state that was answered, and the request that was not; up to four gestures are answered before."""
  state, left, took = server.ask('GET', _SLICE), dice.randrange(4), 1.0
  killer = None
  while True:
    if left == 0:
      killer = threading.Timer(dice.uniform(0, 1.5 * took), server.kill)
      killer.start()
    sent, started = _ring(state, dice.randrange(_SIZE.frames), dice), time.monotonic()
    try:
      state = server.ask('POST', f'{_SLICE}/edit', sent)
    except (OSError, http.client.HTTPException, ValueError):
      killer.join()
      return state, sent
    left, took = left - 1, time.monotonic() - started


def _lost(answered: dict, sent: dict, found: dict) -> str:
  """What is wrong with the state after a new start: '' where it is the last answered, or the one that was sent last."""
  if found['frames'] == answered['frames'] and found['version'] == answered['version']:
    return ''
  ((frame, sides),) = sent['frames'].items()
  came = found['frames'][int(frame)]['endo']
  if found['version'] == answered['version'] + 1 and np.allclose(came, sides['endo'], atol=0.05):
    return ''  # it was on the disk, only the answer was not sent
  return f'version {answered["version"]} was answered, {found["version"]} is there'


def kill(seed: int, folder: pathlib.Path) -> Outcome:
  """Kills the server `KILLS` times while gestures arrive, and starts it again on the same folder."""
  dice, failures, gestures = random.Random(seed), [], 0
  make_phantom(folder / 'scan', size=_SIZE)
  server = _Server(folder / 'scan', folder / 'out')
  for number in range(KILLS):
    answered, sent = _edit_until_killed(server, dice)
    server = _Server(folder / 'scan', folder / 'out')
    found = server.ask('GET', _SLICE)
    gestures = found['undo']
    if why := _lost(answered, sent, found):
      failures.append(f'kill {number}: {why}')
    print(f'kill {number}: {gestures} gestures on disk', file=sys.stderr)
  server.kill()
  return Outcome(KILLS, KILLS - len(failures), 'gestures' if failures else 'nothing', tuple(failures))


FAULTS = (Fault("the editor's server is killed while gestures arrive", kill, group='load'),)


if __name__ == '__main__':
  with tempfile.TemporaryDirectory() as place:
    outcome = kill(0, pathlib.Path(place))
  print(outcome)
  sys.exit(bool(outcome.failures))
