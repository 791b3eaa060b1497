"""One writer a folder: two runs into one working directory would destroy each other's files."""

import contextlib
import errno
import os
import pathlib
import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from absl import logging

from ear_jax.system.errors import UserError

try:
  import fcntl
except ImportError:  # Windows
  import msvcrt

  fcntl = None  # type: ignore[assignment]  # a module elsewhere

_NAME = '.lock'
_BEHIND_THE_TEXT = 2**30  # bytes; Windows does not let a locked byte be read, and the holder's name must stay readable
# File systems without locks: some network file systems, unless they are mounted for it. 524 is the kernel's own name
# for "not supported", which slips out of NFS and FUSE; EBADF is what NFS says of a shared lock that it makes exclusive.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, 524)


@contextlib.contextmanager
def only_writer(folder: pathlib.Path, begun: str | None = None, first: Sequence[str] = ()) -> Iterator[None]:
  """Holds `folder`, which is made if need be, for this process alone until the block ends.

  The kernel lets go of the lock when the process ends, however it ends: a killed run leaves nothing to clean up. The
  file stays, but where an exception ends the block before there is a file `begun` in the folder: then the lock is taken
  away again, with files and empty folders called `first` and folders made for it that were not there before. Nothing
  else is: others may have written into the folder meanwhile.

  Raises: UserError when another process, or this one, holds it already; OSError when nothing can be written there.
  """
  new = [path for path in (*(folder / name for name in (*first, _NAME)), folder, *folder.parents) if not path.exists()]
  with _locked(folder) as file:
    file.truncate(0)
    file.write(f'process {os.getpid()} on {platform.node()}\n')
    file.flush()
    try:
      yield
    except Exception:
      if begun and not (folder / begun).exists():
        _take_away(new)
      raise
    finally:
      file.truncate(0)


def _take_away(paths: Iterable[pathlib.Path]) -> None:
  """Removes files, and folders with nothing in them, in this order."""
  for path in paths:
    with contextlib.suppress(OSError):  # Windows keeps the lock itself, which is open
      path.rmdir() if path.is_dir() else path.unlink()


def _locked(folder: pathlib.Path) -> IO:
  """Returns the locked file of a folder; one that was taken away before we had it guards nothing, and a new one is."""
  while True:
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / _NAME).open('a+')
    try:
      _lock(file, folder)
      if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / _NAME)):
        return file
    except FileNotFoundError:
      pass
    except BaseException:
      file.close()
      raise
    file.close()


def _lock(file, folder) -> None:
  try:
    lock_file(file)
  except BlockingIOError:
    file.seek(0)
    holder = file.read().strip() or 'another process'
    raise UserError(
      f'{folder} is in use by {holder}: wait until that run has ended, stop it, or give another folder'
    ) from None
  except OSError as fault:
    if fault.errno not in _NO_LOCKS:
      raise
    logging.warning('%s cannot be locked (%s): make sure that no other run uses it', folder, fault.strerror)


def lock_file(file: IO, shared: bool = False) -> None:
  """Locks an open file until it is closed, which the kernel does when the process dies.

  Raises: BlockingIOError when another has it; OSError with the file system's reason where files cannot be locked.
  """
  # Not by a library: filelock empties the file, so that the holder's name is lost, and where a file system has no locks
  # makes one that outlives its process; portalocker locks the text away on Windows.
  if fcntl:
    fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    return
  os.lseek(file.fileno(), _BEHIND_THE_TEXT, os.SEEK_SET)
  try:
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # of Windows alone; never shared
  except PermissionError as fault:
    raise BlockingIOError(*fault.args) from None


def is_held(folder: pathlib.Path) -> bool:
  """Returns whether a process holds `folder`; it is looked for by taking the lock for a moment."""
  try:
    with (folder / _NAME).open() as file:
      lock_file(file, shared=True)
  except BlockingIOError:
    return True
  except OSError as fault:
    if fault.errno not in (errno.ENOENT, *_NO_LOCKS):
      raise
  return False
