"""What tests of the editor share: a delineation with planted faults, gestures, and a browser of a real server."""

import contextlib
import dataclasses
import http.client
import json
import socket
import threading

import numpy as np

from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.motion import Contours
from ear_jax.editor.app import make_app
from ear_jax.editor.handles import handles_of
from ear_jax.editor.serve import server_of

PLANTED = (2, 3, 4)  # frames whose contours lie 4 mm aside
TOKEN = 'a-token-of-the-tests'
NETWORK = 'ear3d-phantom: ear3d, step 1, configuration 0, trained on phantom (phantoms alone)'


def exact(truth):
  """The contours of a phantom as they are."""
  frames = len(truth.endo)
  return Contours(truth.endo, truth.epi, ('',) * frames, np.zeros(frames, bool))


def planted(truth, spacing):
  """The truth with a small wave everywhere, and three frames 4 mm aside."""
  turn = np.deg2rad(np.arange(360))
  aside = np.zeros((len(truth.endo), 1, 2))
  aside[list(PLANTED)] = 3 / np.array(spacing) * (1, -1)
  sides = []
  for side, size in ((truth.endo, 0.02), (truth.epi, 0.015)):
    centre = side.mean(1, keepdims=True)
    sides.append(centre + (side - centre) * (1 + size * np.sin(2 * turn + 1))[:, None] + aside)
  return dataclasses.replace(truth, endo=sides[0], epi=sides[1])


def dice(contours, mask):
  """`[T]`."""
  found, mask = to_mask(contours, mask.shape[1:]).astype(bool), mask.astype(bool)
  return 2 * (found & mask).sum((1, 2)) / np.maximum(found.sum((1, 2)) + mask.sum((1, 2)), 1)


def gesture(contours, frames, what='handle'):
  """What the page sends of some frames."""
  pairs = {str(t): (handles_of(contours.endo[t]), handles_of(contours.epi[t])) for t in frames}
  return {'what': what, 'frames': {t: {'endo': a.tolist(), 'epi': b.tolist()} for t, (a, b) in pairs.items()}}


class Browser:
  """What a browser of the page does, by plain HTTP."""

  def __init__(self, port, token=TOKEN):
    self.port, self.cookie = port, ''
    status, headers, _ = self.ask('GET', f'/?token={token}')
    assert status == 303
    self.cookie = headers['set-cookie'].partition(';')[0]

  def ask(self, method, path, body=None, **headers):
    """Status, headers and body; a `body` that is no bytes is sent as JSON, headers that are None are left out."""
    made = {'Host': f'127.0.0.1:{self.port}', 'Cookie': self.cookie}
    if body is not None and not isinstance(body, bytes):
      body = json.dumps(body).encode()
    if body is not None:
      made |= {'Content-Type': 'application/json', 'Content-Length': str(len(body))}
    made |= {name.replace('_', '-'): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)) as line:
      line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
      for name, value in made.items():
        if value is not None:
          line.putheader(name, value)
      line.endheaders(body)
      answer = line.getresponse()
      return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

  def get(self, path):
    """The JSON of an address, when it is ready."""
    while True:
      status, _, data = self.ask('GET', path)
      if status != 202:
        return status, json.loads(data)

  def post(self, path, body):
    """Status and JSON."""
    status, _, data = self.ask('POST', path, body)
    return status, json.loads(data)


@contextlib.contextmanager
def serving(studies, person='anna'):
  """Yields a browser of a real server."""
  with socket.socket() as listening:
    listening.bind(('127.0.0.1', 0))
    listening.listen()
    server = server_of(make_app(studies, person, TOKEN))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
      yield Browser(listening.getsockname()[1])
    finally:
      server.should_exit = True
      thread.join(30)
      for one in studies:
        one.close()


def by_place(bases):
  """What finds the contours that slices begin with, in the order of the slices."""
  left = iter(bases)
  return lambda cine, source: next(left)


def some_slices(opened, which):
  """The study with some of its slices alone."""
  first = which.start

  def cines(wanted):
    own = range(first, which.stop)[wanted]
    return opened.cines(slice(own.start, own.stop))

  return dataclasses.replace(opened, slices=opened.slices[which], cines=cines)
