"""StrainMap's training export, `<name>_<n>_<seconds>_train.nc`: one file a cine, netCDF-4.

One variable `stacked` (comp, frame, row, col) of whole numbers; comp is MAG, X, Y, Z (as the scanner stored them) and
LABELS (0 or 1, the wall). The file does not say how velocities are scaled, so this is what we assume: phase images of
'COL' encoding, velocity = (pixel - 2048) / 2048 * venc, X against increasing column, Y along increasing row, Z towards
the apex. Attributes of the file say otherwise where someone has added them: `venc` (3, cm/s along column, row and
through the plane, default 20, 20, 30), `spacing` (2, mm along row and column index, default 0.85, 0.85),
`frame_interval` (ms, default unknown, as is one that makes no heartbeat), `signs` (3 of +1 or -1 that the velocities
are multiplied by, default +1).

The file name begins with the patient's name, which must not pass: the dataset is `strainmap-<k>`, where k counts the
names among the exports of one folder from 1, and the slice is `cine-<n>`. Adding a patient to a folder renumbers it.
"""

import pathlib
from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from ear_jax.cine import Cine, as_spacing, as_venc
from ear_jax.formats import checks, h5_arrays
from ear_jax.formats.checks import COUNTS, ZERO, Scan
from ear_jax.formats.faults import Fault
from ear_jax.formats.walk import ends

ENDING = '_train.nc'
COMPONENTS = ('MAG', 'X', 'Y', 'Z', 'LABELS')
_TO_CINE = np.array([-1, 1, 1])  # of X, Y, Z: along column, along row, towards the apex


def find(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """Returns those of `files` that are training exports by their names."""
  return [file for file in files if ends(file, ENDING) and not file.name.startswith('.')]


def scan(path: pathlib.Path, root: pathlib.Path) -> Scan:
  """Looks over one file."""
  file = str(path.relative_to(root))
  if _parts(path) is None:
    return Scan((), (Fault(file, '', 'name is not <name>_<n>_<seconds>_train.nc'),))
  try:
    with h5py.File(checks.ordinary(path)) as h5:
      faults = _file_faults(file, h5)
      notes = [] if faults else [_interval(h5)[1], h5_arrays.taken(h5)]
  except Exception as error:  # h5py raises errors of many kinds for a broken file, and all mean the same here
    return Scan((), (Fault(file, '', f'not a readable netCDF-4 file ({h5_arrays.reason(error)})'),))
  return Scan((_ids(path),), tuple(faults), tuple(filter(None, notes)))


def read(path: pathlib.Path) -> Iterator[Cine]:
  """Yields the cine of a file that `scan` found sound; a dataset is its own subject."""
  dataset, slice_id = _ids(path)
  with h5py.File(path) as h5:
    settings, (interval, _) = h5_arrays.settings(h5), _interval(h5)
    pixels = dict(zip(h5_arrays.texts(h5, 'comp'), h5['stacked'][()], strict=True))
  venc = as_venc(settings['venc'])
  phase = np.stack([pixels[name] for name in 'XYZ'], -1).astype(np.int32) - ZERO  # [T, H, W, 3]
  phase = np.mod(_TO_CINE * phase + ZERO, COUNTS) - ZERO  # it is cyclic: against -venc lies -venc
  velocity = phase * np.asarray(venc, np.float32) * np.asarray(settings['signs'], np.float32) / np.float32(ZERO)
  video = np.concatenate([pixels['MAG'][..., None].astype(np.float32), velocity.astype(np.float32)], -1)
  mask = pixels['LABELS'].astype(np.uint8)
  yield Cine(
    video=video,
    mask=mask,
    annotated=mask.any(axis=(1, 2)),
    venc=venc,
    spacing=as_spacing(settings['spacing']),
    frame_interval=interval,
    subject=dataset,
    dataset=dataset,
    slice_id=slice_id,
  )


def _interval(h5: h5py.File) -> tuple[float, str]:
  """Returns ms between frames, and why that is unknown though the file states it (`checks.beat`)."""
  return checks.beat(h5['stacked'].shape[1], float(h5_arrays.settings(h5)['frame_interval']))


def _parts(path: pathlib.Path) -> tuple[str, str] | None:
  """Returns the patient's name and the number of the cine, or None for another kind of name."""
  parts = path.name[: -len(ENDING)].rsplit('_', 2)
  return (parts[0], parts[1]) if len(parts) == 3 and all(part.isdigit() for part in parts[1:]) else None


def _ids(path: pathlib.Path) -> tuple[str, str]:
  parts = _parts(path)
  assert parts  # `scan` has looked at the name
  people = sorted({known[0] for other in find([*path.parent.iterdir()]) if (known := _parts(other))})
  return f'strainmap-{people.index(parts[0]) + 1:02d}', f'cine-{parts[1]}'


def _file_faults(file: str, h5: h5py.File) -> list[Fault]:
  if not {'stacked', 'comp'} <= set(h5):
    return [Fault(file, '', 'no variable `stacked` with a coordinate `comp`: not a training export of StrainMap')]
  stacked, names = h5_arrays.declared(h5, 'stacked'), h5_arrays.texts(h5, 'comp')
  if stacked.ndim != 4 or sorted(names) != sorted(COMPONENTS) or stacked.shape[0] != len(names):
    rule = f'stacked has shape {stacked.shape} and comp {", ".join(names[:9])}; expected (comp, frame, row, col)'
    return [Fault(file, '', f'{rule} with comp {", ".join(COMPONENTS)}')]
  settings = h5_arrays.settings(h5)
  faults = checks.settings_faults(file, '', **settings)
  pixels = dict(zip(names, stacked[()], strict=True))
  video = np.stack([pixels[name] for name in ('MAG', 'X', 'Y', 'Z')], -1)
  faults += checks.video_faults(file, '', video) or checks.phase_faults(file, '', video[..., 1:])
  return faults + checks.mask_faults(file, '', pixels['LABELS'], stacked.shape[1:])
