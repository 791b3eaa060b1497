"""HDF5 in the layout of the authors of 3D-EAR: one `.h5` file a scan of a subject, one group a slice.

    <dataset>.h5
      <slice>/image   (T, H, W, 4)   magnitude, then three 12-bit phases
      <slice>/label   (T, H, W)      0 or 1, optional: 1 in the myocardium

The layout records neither scaling nor units, so this is what we assume: velocity = (phase - 2048) / 2048 * venc, phase
channels along column, along row and through the plane. Attributes on the group or the file say otherwise where they
are present: `venc` (3, cm/s, default 20, 20, 30), `spacing` (2, mm along row and column index, default 0.85, 0.85),
`frame_interval` (ms, default unknown), `signs` (3 of +1 or -1 that the velocities are multiplied by, default +1),
`level` ('base', 'mid', 'apex'). Two optional data sets: `<slice>/annotated` (T) bool; without it a frame carries a
reference if its label is not empty. `<slice>/trigger_time` (T) in ms must increase, and gives the frame interval. An
interval that makes no heartbeat is unknown, and a note says so.

Source of the layout: MRIUtils (github.com/kuangmeng/MRIUtils, MIT), `mriutils/datasets/lvmvm.py`.
"""

import pathlib
from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from ear_jax.cine import Cine, Study, as_spacing, as_venc
from ear_jax.formats import checks, h5_arrays
from ear_jax.formats.checks import COUNTS, ZERO, Scan
from ear_jax.formats.faults import Fault
from ear_jax.formats.walk import ends, natural

_DEFAULTS = h5_arrays.DEFAULTS | {'level': ''}


def find(files: Sequence[pathlib.Path]) -> list[pathlib.Path]:
  """Returns those of `files` that are HDF5 by their names."""
  return [file for file in files if ends(file, '.h5', '.hdf5')]


def scan(path: pathlib.Path, root: pathlib.Path) -> Scan:
  """Looks over every slice of a file."""
  file = str(path.relative_to(root))
  names, faults, notes = [], [], []
  try:
    with h5py.File(checks.ordinary(path)) as h5:
      if not len(h5):
        return Scan((), (Fault(file, '', 'no slice in this file: expected one group a slice'),))
      if {'segments', 'centroid'} <= {*h5}:
        return Scan((), (Fault(file, '', 'contours of StrainMap: give the file the ending .nc'),))
      for name in h5:
        names.append((path.stem, name))
        wrong = checks.name_faults(file, name) or _look_at(file, name, h5)
        notes += [] if wrong else [_interval(h5[name])[1], h5_arrays.taken(h5[name])]
        faults += wrong
  except Exception as error:  # h5py raises errors of many kinds for a broken file, and all mean the same here
    return Scan((), (Fault(file, '', f'not a readable HDF5 file ({h5_arrays.reason(error)})'),))
  return Scan(tuple(names), tuple(faults), tuple(dict.fromkeys(filter(None, notes))))


def _look_at(file: str, name: str, h5: h5py.File) -> list[Fault]:
  try:
    return _slice_faults(file, f'slice {name}', h5_arrays.member(h5, name))
  except Exception as error:  # as above
    return [Fault(file, f'slice {name}', f'not readable: {h5_arrays.reason(error)}')]


def from_base(path: pathlib.Path) -> tuple[str, ...]:
  """Returns the slices of a file by level, base before mid before apex before unknown, then by name, 9 before 10."""
  order = {'base': 0, 'mid': 1, 'apex': 2}

  def place(name: str) -> tuple:
    return order.get(checks.text(h5_arrays.settings(h5[name], _DEFAULTS)['level']), 3), natural(name)

  with h5py.File(path) as h5:
    return tuple(sorted(h5, key=place))


def read(path: pathlib.Path, names: Sequence[str] | None = None) -> Iterator[Cine]:
  """Yields the cines of a file that `scan` found sound; its stem is the dataset, and the subject too.

  Args:
    path: the file.
    names: the slices to read, in this order; all of them without it.
  """
  with h5py.File(path) as h5:
    for name in names or h5:
      yield _read_slice(h5[name], dataset=path.stem, slice_id=name)


def write(study: Study, path: pathlib.Path) -> None:
  """Writes the cines of a study as groups of one file, velocities as 12-bit phases.

  A velocity beyond venc wraps, as on the scanner; within it the error is at most venc / 4096. Raises ValueError for a
  cine without velocities: the layout has no place for it.
  """
  flat = [cine.name for cine in study.cines if cine.venc is None]
  if flat:
    raise ValueError(f'{path}: {", ".join(flat)} has no velocity channels; write it as NIfTI instead')
  with h5py.File(path, 'w') as h5:
    for cine in study.cines:
      group = h5.create_group(cine.slice_id)
      phase = np.mod(np.rint(ZERO + ZERO * cine.video[..., 1:] / np.asarray(cine.venc, np.float32)), COUNTS)
      image = np.concatenate([cine.video[..., :1], phase], axis=-1)
      whole = np.array_equal(image, np.rint(image)) and image.max(initial=0) < 2**16
      group.create_dataset('image', data=image.astype(np.uint16 if whole else np.float32), compression='gzip')
      if cine.annotated.any():
        group.create_dataset('label', data=cine.mask.astype(np.float32), compression='gzip')
        group.create_dataset('annotated', data=cine.annotated)
      group.attrs.update(venc=cine.venc, spacing=cine.spacing, frame_interval=cine.frame_interval, level=cine.level)


def _slice_faults(file: str, within: str, group: h5py.Group) -> list[Fault]:
  if isinstance(group, h5py.Group) and {'xml', 'data'} <= set(group):
    return [Fault(file, within, 'raw data (ISMRMRD), no pictures: reconstruct them first')]
  if not isinstance(group, h5py.Group) or 'image' not in group:
    return [Fault(file, within, 'missing slice: no data set `image` in this group; add it or remove the group')]
  image = h5_arrays.declared(group, 'image')
  if image.ndim != 4:
    return [Fault(file, within, f'image has shape {image.shape}, expected (frame, row, column, channel)')]
  if image.shape[-1] != 4:
    return checks.channel_faults(file, within, image.shape[-1], 4)
  settings = h5_arrays.settings(group, _DEFAULTS)
  faults = checks.settings_faults(file, within, **settings)
  pixels = image[()]
  faults += checks.video_faults(file, within, pixels) or checks.black_faults(file, within, pixels)
  faults += checks.phase_faults(file, within, pixels[..., 1:]) if not faults else []
  if 'label' in group:
    faults += checks.mask_faults(file, within, h5_arrays.declared(group, 'label')[()], image.shape[:3])
  for key in sorted({'annotated', 'trigger_time'} & set(group)):
    values = h5_arrays.declared(group, key)[()]
    if values.shape != image.shape[:1]:
      faults.append(Fault(file, within, f'{key} has shape {values.shape}, the video has {image.shape[0]} frames'))
    elif key == 'annotated' and not np.isin(values, (0, 1)).all():
      faults.append(Fault(file, within, 'annotated holds other values than 0 and 1, a flag a frame'))
    elif key == 'trigger_time':
      faults += checks.time_faults(file, within, values)
      if not faults:
        interval = checks.frame_interval(values)
        faults += checks.settings_faults(file, within, None, (1, 1), frame_interval=interval)
  return faults


def _interval(group: h5py.Group) -> tuple[float, str]:
  """Returns ms between frames, and what had to be decided about them, or ''."""
  stated = float(h5_arrays.settings(group)['frame_interval'])
  if 'trigger_time' not in group:
    return checks.beat(len(group['image']), stated)
  interval, why = checks.beat(len(group['image']), checks.frame_interval(group['trigger_time'][()]))
  if not why and abs(stated - interval) > 0.05 * interval:
    why = f'trigger times are {interval:g} ms apart, and the attribute says {stated:g} ms: the times are believed'
  return interval, why


def _read_slice(group: h5py.Group, *, dataset: str, slice_id: str) -> Cine:
  settings = h5_arrays.settings(group, _DEFAULTS)
  venc = as_venc(settings['venc'])
  image = group['image'][()].astype(np.float32)
  signed = np.asarray(venc, np.float32) * np.asarray(settings['signs'], np.float32)
  image[..., 1:] = (image[..., 1:] - ZERO) / ZERO * signed
  frame_count = image.shape[0]
  mask, annotated = np.zeros(image.shape[:3], np.uint8), np.zeros(frame_count, bool)
  if 'label' in group:
    mask = group['label'][()].astype(np.uint8)
    annotated = group['annotated'][()].astype(bool) if 'annotated' in group else mask.any(axis=(1, 2))
    mask[~annotated] = 0
  return Cine(
    video=image,
    mask=mask,
    annotated=annotated,
    venc=venc,
    spacing=as_spacing(settings['spacing']),
    frame_interval=_interval(group)[0],
    subject=dataset,
    dataset=dataset,
    slice_id=slice_id,
    level=checks.text(settings['level']),
  )
