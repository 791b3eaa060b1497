"""A log of gestures on disk: one JSON line each, on the disk before anyone is told that it was taken.

A line that was begun when the power went has no end, or is no JSON; it was told to nobody, and is dropped.
"""

import json
import os
import pathlib

from ear_jax.system.errors import UserError


def read(path: pathlib.Path) -> list[dict]:
  """Returns the gestures of a log, none where there is no log; half a last line is cut off the file.

  Raises: UserError when a line before the last is broken: then more is lost than a gesture that nobody was told of.
  """
  if not path.exists():
    return []
  *lines, rest = path.read_bytes().split(b'\n')
  entries = []
  for number, line in enumerate(lines, start=1):
    try:
      gesture = json.loads(line)
    except ValueError:
      gesture = None
    if not isinstance(gesture, dict) or 'what' not in gesture:
      raise UserError(f'{path.name}, line {number} is not a gesture: restore the log from a copy, or remove it')
    entries.append(gesture)
  if rest:
    os.truncate(path, sum(len(line) + 1 for line in lines))
  return entries


def append(path: pathlib.Path, gesture: dict) -> None:
  """Writes a gesture behind the others; when this returns it is on the disk.

  Raises: OSError when it cannot be written; the log is then as before.
  """
  line = json.dumps(gesture, separators=(',', ':'), allow_nan=False).encode() + b'\n'
  new = not path.exists()
  with path.open('ab') as file:
    before = file.tell()
    try:
      file.write(line)
      file.flush()
      os.fsync(file.fileno())
    except OSError:
      os.truncate(path, before)
      raise
  if new:
    _sync_folder(path.parent)


def _sync_folder(folder: pathlib.Path) -> None:
  """Has the name of a new file on the disk too; Windows has no such call, and needs none."""
  if hasattr(os, 'O_DIRECTORY'):
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
      os.fsync(handle)
    finally:
      os.close(handle)
