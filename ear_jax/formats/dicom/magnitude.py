"""The slices of a magnitude cine: pictures put in order by their headers, and every pixel checked.

Pictures go into slices by their position along the slice normal, within a slice by time (`timing`). Which pictures of a
study take part is decided before, in `stack`; velocities need their vendor's conventions and are read elsewhere.
"""

import dataclasses
import math
import pathlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from ear_jax.cine import Cine, Place
from ear_jax.formats import checks
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import geometry, instances, pixels
from ear_jax.formats.dicom.header import Instance, Rescale
from ear_jax.formats.dicom.timing import Timed, in_time
from ear_jax.formats.faults import Fault

SAME_PLACE = 0.5  # mm: positions that differ less are one slice
_GAP = 1.5  # times the usual distance between slices: a slice is missing
_NO_SPACING = (math.nan, math.nan)
_SAME_SPACING = 0.01  # relative: other last digits
_COVER = 0.1  # relative: slices of other frame counts cover the same cycle
_SAME_INTERVAL = 0.03  # relative
_BESIDE = 3.0  # mm in the plane: more is another scan; a scanner that follows the heart moves a frame by less
_SAME_LENGTH = 0.05  # relative


@dataclasses.dataclass(frozen=True)
class Slice:
  """The pictures of one place in the order of time; position in mm along the slice normal."""

  position: float
  timed: Timed

  @property
  def pictures(self) -> tuple[Instance, ...]:
    """Headers of the frames."""
    return self.timed.pictures


Slices = list[Slice]
Grouped = tuple[Hashable, Fault]  # faults of one group that say the same are said once


def unlike(picture: Instance, first: Instance) -> str:
  """Returns what the header of a picture does not share with the first of its series, or ''."""
  if (picture.rescale is None) != (first.rescale is None) and not _is_plain(picture.rescale or first.rescale):
    return 'RescaleSlope and RescaleIntercept stand in some frames of the slice only: export it again'
  return beside(picture, first)


def _is_plain(scale: Rescale | None) -> bool:
  return scale is None or (scale.slope, scale.intercept) == (1, 0)


def beside(picture: Instance, first: Instance) -> str:
  """Returns a rule where a picture lies elsewhere in the plane than the first of its slice, or ''."""
  if not picture.corner or not first.corner or not first.orientation:
    return ''
  axes = np.reshape(first.orientation, (2, 3))
  off = float(np.linalg.norm(axes @ np.subtract(picture.corner, first.corner)))
  if off <= _BESIDE:
    return ''
  return f'ImagePositionPatient lies {off:.1f} mm beside that of frame 0 of the slice: two scans, or one of both lies'


def contradictions(first: Sequence[Instance]) -> list[str]:
  """Returns notes where the first pictures of slices, or two tags of one, say different things of where they lie."""
  notes = []
  points = len({picture.reference for picture in first} - {''})
  if 1 < points < len(first):  # some scanners give each series its own, which tells nothing
    notes.append('FrameOfReferenceUID differs between slices: their positions may be measured from several points')
  for picture in first:
    sides = np.multiply(picture.shape or (), picture.spacing or ())
    if picture.diameter and sides.size and (np.abs(sides / picture.diameter - 1) > _SAME_LENGTH).all():
      notes.append(
        f'pictures are {sides[0]:.0f} x {sides[1]:.0f} mm by PixelSpacing, '
        f'ReconstructionDiameter says {picture.diameter:.0f} mm'
      )
      break
  return notes


def slice_id(index: int) -> str:
  """Returns the id of the slice that is `index`-th along the slice normal."""
  return f'slice-{index:02d}'


def cine(one: Slice, *, subject: str, dataset: str, slice_id: str) -> Cine:
  """Returns the cine of one arranged slice: video `[T, H, W, 1]` in the file's units, no frame annotated."""
  first = one.pictures[0]
  video = np.stack([pixels.magnitude(picture)[0] for picture in one.pictures])[..., None]  # [T, H, W, 1]
  return Cine(
    video=video,
    mask=np.zeros(video.shape[:3], np.uint8),
    annotated=np.zeros(len(video), bool),
    venc=None,
    spacing=first.spacing or _NO_SPACING,
    frame_interval=one.timed.interval,
    subject=subject,
    dataset=dataset,
    slice_id=slice_id,
    place=place(first),
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
  thickness = picture.thickness if (picture.thickness or 0) > 0 else None
  return Place((x, y, z), (axes[0], axes[1], axes[2]), (axes[3], axes[4], axes[5]), thickness or math.nan)


def position(picture: Instance, stated: float | None = None) -> float:
  """Returns where a picture of a cine lies, in mm; `stated` instead of what its position tags say.

  Raises: ValueError when it is no single grey picture, or its header lacks size or place.
  """
  needed: dict[str, tuple[float, ...] | None] = {'Rows': picture.shape, 'Columns': picture.shape}
  if stated is None:
    needed |= {'ImagePositionPatient': picture.corner, 'ImageOrientationPatient': picture.orientation}
  missing = [tag for tag, value in needed.items() if not value]
  if missing:
    raise ValueError(f'header lacks {", ".join(missing)}')
  if picture.samples != 1:
    raise ValueError(f'wrong channel count: {picture.samples} samples a pixel, expected 1')
  if picture.frames != 1:
    raise ValueError(f'file holds {picture.frames} frames, expected one file a frame')
  if picture.photometric == 'MONOCHROME1':
    raise ValueError('picture is MONOCHROME1 (bright is low): export it as MONOCHROME2')
  if 'PixelSpacing' in picture.unclear:
    raise ValueError('pixel spacing is not two numbers')
  if picture.spacing and (wrong := checks.spacing_fault(picture.spacing)):
    raise ValueError(f'pixel spacing {wrong}')
  return geometry.position(picture.orientation or (), picture.corner or ()) if stated is None else stated


def in_order(placed: Iterable[tuple[float, Instance]], choices: Asked) -> Slices:
  """Returns pictures with their positions in slices by increasing position, each in order of time."""
  groups: list[list[tuple[float, Instance]]] = []
  for here, picture in sorted(placed, key=lambda both: both[0]):
    if groups and here - groups[-1][0][0] < SAME_PLACE:
      groups[-1].append((here, picture))
    else:
      groups.append([(here, picture)])
  return [Slice(group[0][0], in_time([picture for _, picture in group], choices)) for group in groups]


def look(slices: Slices, root: pathlib.Path) -> tuple[list[Grouped], list[tuple[str, str]]]:
  """Returns the faults and notes of each slice by itself, pixels included."""
  faults: list[Grouped] = []
  notes: list[tuple[str, str]] = []
  for index, one in enumerate(slices):
    notes += one.timed.notes
    if one.timed.rule:
      faults.append(_fault(one, index, one.timed.at, one.timed.rule, root))
    if rule := checks.size_rule((len(one.pictures), *(one.pictures[0].shape or ()))):
      faults.append(_fault(one, index, 0, f'the slice {rule}', root))
      continue
    for number, picture in enumerate(one.pictures):
      rule, said = _look_at(picture, one.pictures[0])
      if rule:
        faults.append(_fault(one, index, number, rule, root))
      if said:
        notes.append(('pixels', said))
  return faults, notes


def stack_faults(slices: Slices, folder: str, choices: Asked, notes: list[tuple[str, str]]) -> list[Fault]:
  """Returns the faults that show only when slices are compared: a missing frame, a missing slice; adds to `notes`."""
  counts = [len(one.pictures) for one in slices]
  usual = Counter(counts).most_common(1)[0][0]
  model = next(one for one in slices if len(one.pictures) == usual)
  faults = []
  for index, one in enumerate(slices):
    if len(one.pictures) == usual or one.timed.rule:
      continue
    said = f'{len(one.pictures)} frames, the other slices have {usual}'
    if _whole_cycle(one, model) or choices.settle('gaps') == 'accept':
      notes.append(('counts', f'slices have different numbers of frames ({said})'))
    else:
      advice = 'export the slice again, or --gaps=accept takes what is there'
      faults.append(Fault(folder, f'slice {index}', f'{said}: {advice}'))
  return faults + _missing_slices(slices, folder, choices, notes)


def _missing_slices(slices: Slices, folder: str, choices: Asked, notes: list[tuple[str, str]]) -> list[Fault]:
  steps = np.diff([one.position for one in slices])
  if len(steps) < 2:
    return []
  step = sorted(steps)[(len(steps) - 1) // 2]
  faults = []
  for index in np.flatnonzero(steps > _GAP * step):
    said = f'{steps[index]:.1f} mm to slice {index + 1}, the usual step is {step:.1f} mm'
    if choices.settle('gaps') == 'accept':
      notes.append(('missing', f'a slice is missing in the stack ({said}), taken as --gaps=accept says'))
    else:
      rule = f'missing slice: {said}; export it too, or --gaps=accept takes what is there'
      faults.append(Fault(folder, f'slice {index}', rule))
  return faults


def _whole_cycle(one: Slice, model: Slice) -> bool:
  """Returns whether a slice of another number of frames than `model` covers a whole cycle all the same."""
  if one.pictures[0].cardiac_images == len(one.pictures):
    return True
  intervals = np.array([one.timed.interval, model.timed.interval])
  covers = intervals * [len(one.pictures), len(model.pictures)]
  faster = abs(intervals[0] / intervals[1] - 1) > _SAME_INTERVAL  # else it was sampled alike, and some are lost
  return bool(faster and abs(covers[0] / covers[1] - 1) <= _COVER)  # False where an interval is unknown


def _fault(one: Slice, index: int, frame: int, rule: str, root: pathlib.Path) -> Grouped:
  picture = one.pictures[frame]
  return picture.series, Fault(str(picture.path.relative_to(root)), f'slice {index}, frame {frame}', rule)


def _look_at(picture: Instance, first: Instance) -> tuple[str, str]:
  """Returns what is wrong with the pixels of one picture, and what was done to them; '' where nothing."""
  if picture.shape != first.shape:
    return f'picture has shape {picture.shape}, frame 0 of the slice {first.shape}', ''
  if not np.allclose(picture.spacing or _NO_SPACING, first.spacing or _NO_SPACING, rtol=_SAME_SPACING, equal_nan=True):
    return 'PixelSpacing differs from that of frame 0 of the slice', ''
  if not geometry.parallel(picture.orientation, first.orientation):
    return 'ImageOrientationPatient differs from that of frame 0 of the slice', ''
  try:
    values, said = pixels.magnitude(picture)
  except Exception as error:  # pydicom's decoders raise errors of many kinds, and all mean the same to the user
    return f'pixels are not readable ({instances.reason(error)})', ''
  if values.shape != picture.shape:
    return f'pixels have shape {values.shape}, the header says {picture.shape}', ''
  broken = (fault.rule for fault in checks.video_faults('', '', values[None, ..., None]))
  return next(broken, '') or unlike(picture, first), said
