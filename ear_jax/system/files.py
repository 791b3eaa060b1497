"""Writing a file whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields a temporary name beside `path`; when the block ends well, the file written there takes the place of `path`.

  A reader sees the old file or the new one, and an interrupted run leaves no half of a table that looks like a whole.
  If the block raises, the temporary file is removed and `path` is as before.
  """
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = path.with_name(f'.{path.name}.{os.getpid()}.part')
  try:
    yield temporary
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes UTF-8 text with line feeds, on every system; see `replacing`."""
  with replacing(path) as temporary:
    temporary.write_text(text, encoding='utf-8', newline='\n')
