"""A contestant's side: a process that reads requests, one JSON object a line, and answers each with one line.

`open` (devices and threads), `load` (case and weights), then any of `time`, `memory`, `logits`; ours also
`save_weights` and `ceiling`.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ear_jax.benchmarking import memory
from ear_jax.benchmarking.cases import Case

PASSES = ('forward', 'step')


class Implementation(Protocol):
  """A network in some framework; each call returns when the work is done."""

  versions: dict[str, str]

  def load(self, case: Case, weights: str | None) -> int:
    """Makes the network, the optimiser and the inputs of a case; returns the number of parameters.

    `weights` is an npz file with our parameters, `None` to draw them.
    """

  def forward(self) -> None:
    """Computes the logits of the batch."""

  def logits(self) -> np.ndarray:
    """Returns the logits of the batch, `[B, T, H, W, K]`."""

  def step(self) -> float:
    """Trains on the batch once and returns the loss before the update."""


def serve(make: Callable[[dict], Implementation]) -> None:
  """Answers requests on standard input until it is closed.

  Args:
    make: imports the framework and returns the implementation, from the request `open`.
  """
  replies = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)  # frameworks print to standard output when they please
  contestant = _Contestant(make)
  for line in sys.stdin:
    request = json.loads(line)
    try:
      reply = getattr(contestant, request.pop('do'))(**request)
    except Exception as fault:
      traceback.print_exc()
      reply = {'fault': f'{type(fault).__name__}: {fault}'}
    print(json.dumps(reply), file=replies, flush=True)


class _Contestant:
  """One method a request."""

  def __init__(self, make):
    self._make = make

  def open(self, **options) -> dict:
    if hasattr(os, 'sched_setaffinity'):
      os.sched_setaffinity(0, options['cores'])
    self._it = self._make(options)
    self._baseline = memory.resident()
    return {'versions': self._it.versions}

  def load(self, case: dict, weights: str | None) -> dict:
    known = Case(**case | {'filters': tuple(case['filters'])})
    return {'parameters': self._it.load(known, weights)}

  def time(self, which: str, calls: int) -> dict:
    call, seconds, losses = getattr(self._it, which), [], []
    work = time.process_time()
    for _ in range(calls):
      start = time.perf_counter()
      losses.append(call())
      seconds.append(time.perf_counter() - start)
    return {'seconds': seconds, 'losses': losses, 'busy': (time.process_time() - work) / sum(seconds)}

  def memory(self, which: str) -> dict:
    """The most memory in MB during one call, above that of the process before it loaded the case."""
    memory.resident()
    memory.mark()
    getattr(self._it, which)()
    peak = memory.peak()
    return {'megabytes': None if peak is None or self._baseline is None else peak - self._baseline}

  def logits(self, path: str) -> dict:
    np.save(path, self._it.logits())
    return {}

  def save_weights(self, path: str) -> dict:
    self._it.save_weights(path)
    return {}

  def ceiling(self) -> dict:
    return {'gflops': self._it.ceiling()}
