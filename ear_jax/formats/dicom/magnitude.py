"""Cine MR as single-frame DICOM, magnitude only: one folder a study, one file a frame of a slice, under any names.

Frames are put in order by the headers alone: into slices by their position along the slice normal, within a slice by
trigger time, or by instance number where trigger times are missing. Ids come from the folder's name; name, birth date
and dates of a patient are never read. Velocity series need their vendor's conventions and are read elsewhere.
"""

import dataclasses
import itertools
import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pydicom

from ear_jax.cine import Cine, Place
from ear_jax.formats import checks
from ear_jax.formats.checks import Scan
from ear_jax.formats.dicom import geometry, instances, pixels
from ear_jax.formats.dicom.instances import Instance
from ear_jax.formats.faults import Fault

SAME_PLACE = 0.1  # mm: positions that differ less are one slice
_GAP = 1.5  # times the usual distance between slices: a slice is missing


@dataclasses.dataclass(frozen=True)
class Frame:
  """One picture of a cine; position in mm along the slice normal, trigger time in ms or None."""

  picture: Instance
  position: float
  trigger: float | None
  instance: int
  shape: tuple[int, int]
  spacing: tuple[float, float]

  @property
  def path(self) -> pathlib.Path:
    """File of the picture."""
    return self.picture.path


Slices = list[list[Frame]]


def find(root: pathlib.Path) -> list[pathlib.Path]:
  """Returns the folders at or below `root` that hold `*.dcm` files."""
  return sorted({path.parent for path in root.rglob('*.dcm')})


def scan(path: pathlib.Path, root: pathlib.Path, channels: int | None = None) -> Scan:
  """Looks over one folder, pixels included; `channels` is the count that the caller needs (None: any we read)."""
  slices, found = arrange(path, root)
  if channels not in (None, 1):
    found = checks.channel_faults(str(path.relative_to(root)), '', 1, channels)
  return Scan(tuple((path.resolve().name, slice_id(index)) for index in range(len(slices))), tuple(found))


def read(path: pathlib.Path, subjects: Mapping[str, str] | None = None) -> Iterator[Cine]:
  """Yields the slices of a folder that `scan` found sound, without reference; the folder's name is the dataset."""
  dataset = path.resolve().name
  for index, slice_frames in enumerate(_by_headers(path, path)[0]):
    subject = (subjects or {}).get(dataset, dataset)
    yield cine(slice_frames, subject=subject, dataset=dataset, slice_id=slice_id(index))


def slice_id(index: int) -> str:
  """Returns the id of the slice that is `index`-th along the slice normal."""
  return f'slice-{index:02d}'


def arrange(folder: pathlib.Path, root: pathlib.Path) -> tuple[Slices, list[Fault]]:
  """Returns the frames of a folder in slices along the normal, each in order of time, and the faults found.

  Faults name files relative to `root`: unreadable files and pixels, frames or slices that are missing, frames of
  another size, and trigger times that do not increase.
  """
  slices, found = _by_headers(folder, root)
  return slices, found + faults(slices, str(folder.relative_to(root)), root)


def cine(slice_frames: Sequence[Frame], *, subject: str, dataset: str, slice_id: str) -> Cine:
  """Returns the cine of one arranged slice: video `[T, H, W, 1]` in the file's units, no frame annotated."""
  video = np.stack([_pixels(frame.picture) for frame in slice_frames])[..., None]  # [T, H, W, 1]
  times = [frame.trigger for frame in slice_frames if frame.trigger is not None]
  return Cine(
    video=video,
    mask=np.zeros(video.shape[:3], np.uint8),
    annotated=np.zeros(len(video), bool),
    venc=None,
    spacing=slice_frames[0].spacing,
    frame_interval=checks.frame_interval(times) if len(times) == len(video) else math.nan,
    subject=subject,
    dataset=dataset,
    slice_id=slice_id,
    place=place(slice_frames[0].picture),
  )


def place(picture: Instance) -> Place | None:
  """Returns where a picture lies in the patient; None unless its header says so, and how large its pixels are."""
  if not picture.corner or not picture.orientation or not picture.spacing:
    return None
  try:
    geometry.normal(picture.orientation)
  except ValueError:
    return None
  (x, y, z), axes = picture.corner, picture.orientation
  thickness = math.nan if picture.thickness is None else picture.thickness
  return Place((x, y, z), (axes[0], axes[1], axes[2]), (axes[3], axes[4], axes[5]), thickness)


def frame(file: Instance, place: float | None = None) -> Frame:
  """Returns the frame that a header describes; `place` in mm instead of what its position tags say.

  Raises: ValueError when the file is no single grey picture, or its header lacks size or place.
  """
  stated: dict[str, tuple[float, ...] | None] = {'Rows': file.shape, 'Columns': file.shape}
  if place is None:
    stated |= {'ImagePositionPatient': file.corner, 'ImageOrientationPatient': file.orientation}
  missing = [tag for tag, value in stated.items() if not value]
  if missing or not file.shape:
    raise ValueError(f'header lacks {", ".join(missing)}')
  if file.samples != 1:
    raise ValueError(f'wrong channel count: {file.samples} samples a pixel, expected 1')
  if file.frames != 1:
    raise ValueError(f'file holds {file.frames} frames, expected one file a frame')
  if file.photometric == 'MONOCHROME1':
    raise ValueError('picture is MONOCHROME1 (bright is low): export it as MONOCHROME2')
  if 'PixelSpacing' in file.unclear:
    raise ValueError('pixel spacing is not two numbers')
  if file.spacing and (wrong := checks.spacing_fault(file.spacing)):
    raise ValueError(f'pixel spacing {wrong}')
  return Frame(
    picture=file,
    position=geometry.position(file.orientation or (), file.corner or ()) if place is None else place,
    trigger=file.trigger,
    instance=file.number or 0,
    shape=file.shape,
    spacing=file.spacing or (math.nan, math.nan),
  )


def in_order(frames_: list[Frame]) -> Slices:
  """Returns frames in slices by increasing position, each by trigger time, or by instance number if any lacks one."""
  slices: Slices = []
  for one in sorted(frames_, key=lambda one: one.position):
    if slices and one.position - slices[-1][0].position < SAME_PLACE:
      slices[-1].append(one)
    else:
      slices.append([one])
  return [in_time(one) for one in slices]


def in_time(frames_: list[Frame]) -> list[Frame]:
  """Returns the frames of one slice by trigger time, or by instance number if any frame has no trigger time."""
  if any(one.trigger is None for one in frames_):
    return sorted(frames_, key=lambda one: (one.instance, one.path.name))
  return sorted(frames_, key=lambda one: (one.trigger, one.instance, one.path.name))


def numbered_in_time(frames_: list[Frame]) -> bool:
  """Returns whether the instance numbers of a slice in order rise, as far as they are known."""
  numbers = [one.instance for one in frames_ if one.instance]
  return all(before < after for before, after in itertools.pairwise(numbers))


def faults(slices: Slices, folder: str, root: pathlib.Path) -> list[Fault]:
  """Returns the faults of arranged slices, pixels included; those of the whole study are named `folder`."""
  found = [fault for index, one in enumerate(slices) for fault in _slice_faults(one, index, root)]
  return found + _study_faults(slices, folder)


def _by_headers(folder: pathlib.Path, root: pathlib.Path) -> tuple[Slices, list[Fault]]:
  """Returns the frames in order, and a fault for each file that is no frame; no pixels are read."""
  frames_: list[Frame] = []
  found = []
  for path in sorted(folder.glob('*.dcm')):
    try:
      frames_ += map(frame, instances.read(path))
    except (OSError, ValueError, AttributeError, TypeError, pydicom.errors.InvalidDicomError) as error:
      found.append(Fault(str(path.relative_to(root)), 'frame 0', f'not a single-frame cine image: {error}'))
  return in_order(frames_), found


def _slice_faults(slice_frames: list[Frame], index: int, root: pathlib.Path) -> list[Fault]:
  first, found = slice_frames[0], []
  if rule := checks.size_rule((len(slice_frames), *first.shape)):
    return [Fault(str(first.path.relative_to(root)), f'slice {index}', f'the slice {rule}')]
  for number, frame in enumerate(slice_frames):
    file, within = str(frame.path.relative_to(root)), f'slice {index}, frame {number}'
    if frame.shape != first.shape:
      found.append(Fault(file, within, f'picture has shape {frame.shape}, frame 0 of the slice {first.shape}'))
    try:
      values = _pixels(frame.picture)
    except Exception as error:  # pydicom's decoders raise errors of many kinds, and all mean the same to the user
      found.append(Fault(file, within, f'pixels are not readable ({instances.reason(error)})'))
      continue
    if values.shape != frame.shape:
      found.append(Fault(file, within, f'pixels have shape {values.shape}, the header says {frame.shape}'))
      continue
    found += [
      dataclasses.replace(fault, frame=within) for fault in checks.video_faults(file, '', values[None, ..., None])
    ]
  for number, (before, after) in enumerate(itertools.pairwise(slice_frames), start=1):
    rule = _order_rule(before, after)
    if rule:
      found.append(Fault(str(after.path.relative_to(root)), f'slice {index}, frame {number}', rule))
  return found


def _order_rule(before: Frame, after: Frame) -> str:
  """Returns what is wrong with the order of two neighbours, or ''."""
  times = [one.trigger for one in (before, after) if one.trigger is not None]
  timed = len(times) == 2
  if timed and times[1] <= times[0]:
    return f'trigger time {times[1]:g} ms is that of {before.path.name} too: trigger times must increase'
  if not timed and after.instance <= before.instance:
    return f'instance number {after.instance} does not follow {before.instance} of {before.path.name}'
  return ''


def _study_faults(slices: Slices, folder: str) -> list[Fault]:
  """Returns the faults that show only when slices are compared: a missing frame, a missing slice."""
  if not slices:
    return [Fault(folder, '', 'no readable *.dcm in this folder')]
  counts = [len(one) for one in slices]
  usual = max(set(counts), key=counts.count)
  found = [
    Fault(folder, f'slice {index}', f'{count} frames, the other slices have {usual}: export the slice again')
    for index, count in enumerate(counts)
    if count != usual
  ]
  steps = np.diff([one[0].position for one in slices])
  if len(steps) >= 2:
    step = sorted(steps)[(len(steps) - 1) // 2]
    for index in np.flatnonzero(steps > _GAP * step):
      rule = f'missing slice: {steps[index]:.1f} mm to slice {index + 1}, the usual step is {step:.1f} mm'
      found.append(Fault(folder, f'slice {index}', rule))
  return found


def _pixels(picture: Instance) -> np.ndarray:
  return pixels.rescaled(picture, pixels.stored(picture))
