"""The console on which progress is shown."""

import math
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from absl import logging
from rich.console import Console
from rich.progress import track

_SECONDS = 10.0  # between lines
_T = TypeVar('_T')


def progress_console() -> Console:
  """Returns standard error as a console: what a command gives stays alone on standard output.

  In a notebook it is plain text too: rich's bars want ipywidgets there, and warn at every refresh without them.
  """
  return Console(stderr=True, force_jupyter=False)


def tracked(items: Iterable[_T], what: str, total: int, console: Console | None = None) -> Iterator[_T]:
  """Yields the items; says how many are done in a bar on a terminal; elsewhere every ten seconds, and when all are."""
  console = console or progress_console()
  if console.is_terminal:
    yield from track(items, what, total, console=console, transient=True)
    return
  said = -math.inf
  for done, item in enumerate(items):
    if (now := time.monotonic()) - said >= _SECONDS:
      logging.info('%s: %d of %d done', what, done, total)
      said = now
    yield item
  logging.info('%s: %d of %d done', what, total, total)
