"""Writing a file whole or not at all, and asking beforehand whether a folder can be written."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from ear_jax.system.errors import UserError

_PROBE = b'x' * 2**20  # as much as the smallest results have
_ADVICE = 'make room there, or give another folder'


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


def require_writable(folder: str | os.PathLike, what: str) -> None:
  """Writes a megabyte into `folder`, made if need be, and takes all of it away again but folders above `folder`.

  Raises: UserError, which begins with `what`, when that fails: the disk is full or read-only, a file is in the way.
  """
  folder = pathlib.Path(folder)
  probe, new = folder / f'.probe.{os.getpid()}.part', not os.path.lexists(folder)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    probe.write_bytes(_PROBE)
  except (FileExistsError, NotADirectoryError) as fault:
    raise UserError(f'{what} cannot be written to {folder}: a file is in the way: give another folder') from fault
  except OSError as fault:
    raise UserError(f'{what} cannot be written to {folder} ({fault.strerror or fault}): {_ADVICE}') from fault
  finally:
    with contextlib.suppress(OSError):  # what cannot be removed was not written
      probe.unlink()
      if new:
        folder.rmdir()
