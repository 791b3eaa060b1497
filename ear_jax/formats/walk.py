"""The files at a path, walked once for all formats.

Left out are names that begin with a dot (macOS puts a `._x` beside every `x`) and folders of our own results, known by
their `summary.json`, but for the contours in those that a person corrected. Links to folders are followed, each folder
once, so that a circle ends. What is known to be no study is sorted out by the ending of its name, to be named for what
it is.
"""

import dataclasses
import json
import os
import pathlib
import re
from collections import Counter

from ear_jax.formats.faults import Fault

_OURS = {'study', 'verdict', 'checks', 'versions'}  # keys of the summary.json of our results
_EDITED = 'edits.json'  # in results whose contours a person corrected: they are references
_ARCHIVE = '.zip .tar .tgz .gz .bz2 .xz .7z .rar'
_NO_STUDIES = {  # by the endings of their names: what they are, and what to do
  _ARCHIVE: ('archive', 'unpack it and give the folder'),
  '.cvi42wsx .cvi42ws': ('workspace of cvi42', 'export its contours as NIfTI masks, and its pictures as DICOM'),
  '.mat': ('file of MATLAB', 'save its arrays as HDF5 or NIfTI'),
  '.npy .npz': ('file of NumPy', 'save its arrays as HDF5 or NIfTI'),
  '.par .rec': ('PAR/REC file of Philips', 'export the study as DICOM'),
  '.dat .mrd .ismrmrd': ('file of raw data', 'reconstruct pictures from it first'),
  '.nrrd .mha .mhd .hdr .img': ('NRRD, MetaImage or Analyze file', 'convert it to NIfTI'),
}


@dataclasses.dataclass(frozen=True)
class Walk:
  """What lies at a path.

  Attributes:
    root: the folder that faults name files relative to: the path itself, or the folder of a file.
    files: what a format may take, in the order of their names.
    others: what was sorted out, a sentence a kind with its count and without a name.
    faults: folders that could not be looked into.
  """

  root: pathlib.Path
  files: tuple[pathlib.Path, ...]
  others: tuple[str, ...]
  faults: tuple[Fault, ...]


def walk(path: pathlib.Path) -> Walk:
  """Returns the files at `path`, a file or a folder with its subfolders."""
  root, faults, own = path if path.is_dir() else path.parent, [], 0
  files = []

  def refused(error: OSError) -> None:
    where = os.path.relpath(error.filename or root, root)
    faults.append(Fault(where, '', f'this folder cannot be looked into ({error.strerror})'))

  if not path.is_dir():
    files = [path]
  else:
    seen: set[tuple[int, int]] = set()
    _is_new(str(path), '', seen)
    for folder, folders, names in os.walk(path, followlinks=True, onerror=refused):
      if 'summary.json' in names and _is_ours(pathlib.Path(folder, 'summary.json')):
        own, folders[:] = own + 1, []
        files += [pathlib.Path(folder, name) for name in names if _EDITED in names and name.endswith('.nc')]
        continue
      folders[:] = sorted(name for name in folders if not name.startswith('.') and _is_new(folder, name, seen))
      files += [pathlib.Path(folder, name) for name in names if not name.startswith('.')]
  kinds = {file: kind for file in files if (kind := _kind(file))}
  others = [_counted(count, *kind) for kind, count in Counter(kinds.values()).items()]
  others += [_counted(own, 'folder of results of ear_jax', '')] * bool(own)
  return Walk(
    root,
    tuple(sorted(set(files) - set(kinds), key=lambda file: [natural(part) for part in file.parts])),
    tuple(others),
    tuple(faults),
  )


def ends(file: pathlib.Path, *endings: str) -> bool:
  """Returns whether a name has one of the endings, in capitals or not."""
  return file.name.lower().endswith(endings)


def natural(name: str) -> list[tuple[str, int]]:
  """Returns what to sort names by so that 9 comes before 10."""
  return [(text, int(number or 0)) for text, number in re.findall(r'(\D*)(\d*)', name)]


def _is_new(folder: str, name: str, seen: set[tuple[int, int]]) -> bool:
  try:
    status = os.stat(os.path.join(folder, name))
  except OSError:
    return True  # os.walk says what is wrong
  new = (status.st_dev, status.st_ino) not in seen
  seen.add((status.st_dev, status.st_ino))
  return new


def _is_ours(summary: pathlib.Path) -> bool:
  try:
    return summary.is_file() and json.loads(summary.read_bytes()).keys() >= _OURS
  except (OSError, ValueError, AttributeError, RecursionError):
    return False


def _kind(file: pathlib.Path) -> tuple[str, str] | None:
  if ends(file, '.nii.gz'):
    return None
  return next((kind for endings, kind in _NO_STUDIES.items() if ends(file, *endings.split())), None)


def _counted(count: int, what: str, advice: str) -> str:
  several = what.replace(' of ', 's of ', 1) if ' of ' in what else f'{what}s'
  return f'{count} {what if count == 1 else several} skipped' + (f': {advice}' if advice else '')
