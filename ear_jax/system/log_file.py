"""What a command says, kept in a file beside its results."""

import contextlib
import logging as python_logging
import pathlib
from collections.abc import Iterator

from ear_jax.system import cli


@contextlib.contextmanager
def kept_in(path: pathlib.Path) -> Iterator[None]:
  """Adds the lines that are logged within the block to a file, and what ends it; a disk that is full costs lines."""
  handler = _File(path)
  python_logging.getLogger().addHandler(handler)
  try:
    yield
  except BaseException as fault:
    handler.emit(python_logging.makeLogRecord({'levelname': 'ERROR', 'msg': f'{type(fault).__name__}: {fault}'}))
    raise
  finally:
    python_logging.getLogger().removeHandler(handler)


class _File(python_logging.Handler):
  """Opens its file for each line: a command logs few, and what is open cannot be closed where no room is left."""

  def __init__(self, path: pathlib.Path):
    super().__init__()
    self._path = path
    self.addFilter(cli.ours)
    self.setFormatter(python_logging.Formatter('%(asctime)s %(levelname)s %(message)s', '%Y-%m-%d %H:%M:%S'))

  def emit(self, record: python_logging.LogRecord) -> None:
    with contextlib.suppress(OSError), self._path.open('a') as file:
      file.write(f'{self.format(record)}\n')
