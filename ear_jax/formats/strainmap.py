"""StrainMap's `.nc` files: its contours as reference masks, and our contours for review and correction in StrainMap.

A file is netCDF-4 with one group an array, which holds one variable of the same name and its coordinates:

    segments  (cine, side, frame, coord, point)   endocardium and epicardium as (col, row) in pixels of the full picture
    centroid, septum  (cine, frame, coord)        centre of the heart and mid-septal point of every frame
    sign_reversal  (comp)                         +1 or -1 for X, Y and Z

Whole numbers are pixel centres, curves are closed (the last point repeats the first), and NaN means not segmented: of
`centroid` too, where StrainMap goes on segmenting. The root carries `orientation` ('CW' or 'CCW') and `timeshift` (s).
Real numbers are packed as int32 with a scale. Patient text that StrainMap keeps in the root is never read. Masks,
velocities and markers are not written: StrainMap makes its own from the contours, and a half of them would stop it from
doing so. `strainmap_marks` says what our own files hold beside.
"""

import contextlib
import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Final

import h5py
import numpy as np
import xarray as xr

from ear_jax.analysis.drawn import Pair
from ear_jax.analysis.motion import SECTORS, SliceMotion
from ear_jax.formats import checks, h5_arrays, strainmap_marks
from ear_jax.formats.strainmap_marks import UNMARKED, Mark
from ear_jax.system.errors import UserError
from ear_jax.system.files import replacing

SIDES = ('endocardium', 'epicardium')
TIMESHIFT = -0.045  # s; StrainMap's default, which it takes for the delay of the first frame
POINTS = 360  # of a closed curve that StrainMap draws: 359 different ones
_ENGINE: Final = 'h5netcdf'
_DIMS = {'segments': 'cine side frame coord point', 'septum': 'cine frame coord'}
_READ = ('segments', 'septum', 'sign_reversal')  # the groups that we make use of
_GAP = 5.0  # of the mean chord: a longer one stands for points that are missing
_CODES = np.iinfo(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class StrainMapSlice:
  """The contours of one cine as StrainMap stored them.

  Attributes:
    name: StrainMap's name of the cine, '<SeriesNumber> <SeriesDescription>'.
    endo, epi: `[T, P, 2]` float64 (row, column) in pixels of the full picture, closed; NaN on frames not segmented.
    septum: `[T, 2]` (row, column); NaN where the file has none.
    signs: +1 or -1 for X, Y and Z, which are along column, along row and through the plane; None when not stated.
    sectors: 'CW' or 'CCW', the order of the sectors; '' when not stated.
    mark: the pictures that the contours belong to, where the file is ours.
  """

  name: str
  endo: np.ndarray
  epi: np.ndarray
  septum: np.ndarray
  signs: tuple[int, int, int] | None = None
  sectors: str = ''
  mark: Mark = UNMARKED

  @property
  def annotated(self) -> np.ndarray:
    """`[T]` bool, frames that have both curves, whole."""
    return np.array([_is_whole(endo) and _is_whole(epi) for endo, epi in zip(self.endo, self.epi, strict=True)], bool)

  def pairs(self) -> list[Pair | None]:
    """Returns the two curves of each frame, None for a frame that lacks one."""
    return [(endo, epi) if both else None for endo, epi, both in zip(self.endo, self.epi, self.annotated, strict=True)]


def _is_whole(curve: np.ndarray) -> bool:
  """Whether the known points of a curve `[P, 2]` go all the way round: NaN fills it up, or stands in a gap."""
  known = curve[np.isfinite(curve).all(-1)]
  steps = np.hypot(*(known - np.roll(known, 1, 0)).T)
  steps = steps[steps > 0]
  return len(steps) >= 3 and (len(known) == len(curve) or bool(steps.max() <= _GAP * steps.mean()))


def read_contours(path: str | os.PathLike) -> dict[str, StrainMapSlice]:
  """Returns the contours of every cine in a StrainMap file, by StrainMap's name of the cine.

  Raises: UserError when the file is not StrainMap's, holds no contours, or holds them in another shape.
  """
  path = pathlib.Path(path)
  with _faults_of(path):
    with h5py.File(path) as h5:
      groups = [name for name in _READ if name in h5.keys()]  # noqa: SIM118  (`in h5` would follow links)
      for name in groups:
        _look_at(h5_arrays.member(h5, name))
      marks, sectors = strainmap_marks.read(h5), checks.text(h5.attrs.get('orientation', ''))
    arrays = {name: xr.load_dataarray(path, group=name, engine=_ENGINE) for name in groups}
    segments = arrays.get('segments')
    if segments is None:
      raise UserError(f'{path}: no contours in this file (group `segments` is missing); segment it in StrainMap first')
    for name in ('segments', 'septum'):
      if name in arrays and not _is_strainmaps(arrays[name], _DIMS[name]):
        dims = ', '.join(map(str, arrays[name].dims))
        raise UserError(f'{path}: `{name}` has dimensions ({dims}) or coordinates that StrainMap does not write')
    cines = list(map(str, segments.cine.values))
    if not cines or len(set(cines)) < len(cines):
      raise UserError(
        f'{path}: no contours in this file (it has no cine)' if not cines else f'{path}: two cines have one name'
      )
    if sectors not in ('', *SECTORS):
      raise UserError(f'{path}: `orientation` is {sectors[:20]!r}, expected {" or ".join(SECTORS)}')
    stated = {'signs': _signs(path, arrays.get('sign_reversal')), 'sectors': sectors}
    return {str(name): _slice(str(name), arrays, marks.get(str(name)), **stated) for name in segments.cine.values}


def _is_strainmaps(array: xr.DataArray, dims: str) -> bool:
  """Whether an array has the dimensions and the coordinates that we go by."""
  known = {name: {*map(str, array[name].values)} for name in ('cine', 'side', 'coord') if name in array.coords}
  whole = {'cine', 'coord'} <= known.keys() and {'row', 'col'} <= known['coord']
  return {*array.dims} == {*dims.split()} and whole and ('side' not in dims or {*SIDES} <= known.get('side', set()))


def _signs(path: pathlib.Path, stated: xr.DataArray | None) -> tuple[int, int, int] | None:
  if stated is None or stated.ndim != 1:
    return None
  values = stated.values.tolist()
  by_name = dict(zip(map(str, stated['comp'].values), values, strict=True)) if 'comp' in stated.coords else {}
  given_signs = [by_name.get(name, 0) for name in 'XYZ'] if by_name else values
  if len(given_signs) != 3 or not set(given_signs) <= {1, -1}:
    raise UserError(f'{path}: `sign_reversal` is not +1 or -1 for each of X, Y and Z')
  column, row, through = map(int, given_signs)
  return column, row, through


def _look_at(group: h5py.Group) -> None:
  """Raises ValueError when a part of the group lies elsewhere or is too large: xarray would follow, and read it."""
  for name in group:
    part = h5_arrays.member(group, name)
    if isinstance(part, h5py.Dataset) and part.shape is not None and (rule := checks.size_rule(part.shape)):
      raise ValueError(f'`{name}` {rule}')


def write(
  path: str | os.PathLike,
  motions: Sequence[SliceMotion],
  names: Sequence[str],
  *,
  pseudonym: str,
  marks: Sequence[Mark] = (),
  timeshift: float = TIMESHIFT,
) -> None:
  """Writes the contours, centres and septal points of a study's slices as a file that StrainMap opens for review.

  Args:
    path: the `.nc` file.
    motions: the slices, all analysed with the same settings; missing last frames are written as not segmented.
    names: for each slice the name that StrainMap gives the cine, '<SeriesNumber> <SeriesDescription>' of the magnitude.
    pseudonym: written in place of the patient's name.
    marks: for each slice the pictures that it was made from; none where they are not known.
    timeshift: s, as StrainMap will use it.

  Raises: ValueError when names repeat, or slices were analysed with different settings.
  """
  if len(set(names)) != len(motions) or len(names) != len(motions):
    raise ValueError(f'{len(motions)} slices need as many different names, not {list(names)}')
  settings = motions[0].settings
  if any((m.settings.orientation, m.settings.signs) != (settings.orientation, settings.signs) for m in motions):
    raise ValueError('slices of one StrainMap file must share orientation and signs')
  signs = xr.DataArray(np.array(settings.signs, np.int16), {'comp': ['X', 'Y', 'Z']}, name='sign_reversal')
  file = io.BytesIO()  # in memory first: on a full disk the library beneath ends the whole process
  arrays = [*_arrays(motions, names)]
  for number, array in enumerate((*arrays, signs)):
    data, group = array.to_dataset(), str(array.name)
    data.to_netcdf(file, 'a' if number else 'w', group=group, engine=_ENGINE, encoding=_packing(array))
  with h5py.File(file, 'a') as h5:  # h5py writes text as StrainMap compares it: of variable length
    h5.attrs.update({'orientation': settings.orientation, 'timeshift': float(timeshift), 'Patient Name': pseudonym})
    held = {name: _slice(name, {str(one.name): one for one in arrays}, None) for name in names[: len(marks)]}
    known = {name: (strainmap_marks.sums(one.endo, one.epi), one.septum) for name, one in held.items()}
    strainmap_marks.write(h5, dict(zip(names, marks, strict=False)), known)
  with replacing(path) as temporary:
    temporary.write_bytes(file.getvalue())


@contextlib.contextmanager
def _faults_of(path: pathlib.Path) -> Iterator[None]:
  if not path.is_file():
    raise UserError(f'{path}: there is no such file; expected a StrainMap file (.nc)')
  try:
    yield
  except UserError:
    raise
  except Exception as error:  # xarray and h5py raise errors of many kinds for a broken file, and all mean the same here
    raise UserError(f'{path}: not a readable StrainMap file ({h5_arrays.reason(error)})') from error


def _slice(name: str, arrays: dict[str, xr.DataArray], marked: dict | None, **stated) -> StrainMapSlice:
  segments = arrays['segments'].sel(cine=name).transpose('side', 'frame', 'point', 'coord')
  endo, epi = (segments.sel(side=side, coord=['row', 'col']).values.astype(float) for side in SIDES)
  septum = np.full((len(endo), 2), np.nan)
  if 'septum' in arrays and name in arrays['septum'].cine.values:
    rows = arrays['septum'].sel(cine=name, coord=['row', 'col']).transpose('frame', 'coord')
    septum = rows.reindex(frame=segments.frame).values.astype(float)
  mark = strainmap_marks.mark(marked, strainmap_marks.sums(endo, epi), septum)
  return StrainMapSlice(name, endo, epi, septum, **stated, mark=mark)


def _arrays(motions: Sequence[SliceMotion], names: Sequence[str]) -> Iterator[xr.DataArray]:
  """Yields segments, centroid and septum; coordinates in StrainMap's order (col, row)."""
  frames = max(len(m.mask) for m in motions)
  coordinates = {'cine': [*names], 'side': [*SIDES], 'frame': np.arange(frames), 'coord': ['col', 'row']}
  points = max((m.contours.endo.shape[1] + 1 for m in motions if _as_they_are(m)), default=POINTS)
  curves = [_sides(m, points) for m in motions]  # [side, T, point, 2]
  segments = np.stack([_padded(s, frames) for s in curves])[..., ::-1].swapaxes(-1, -2)
  dims = ('cine', 'side', 'frame', 'coord', 'point')
  yield xr.DataArray(segments, coordinates, dims, name='segments')
  del coordinates['side']
  for name, field in (('centroid', 'centre'), ('septum', 'septum')):
    known = [np.where(m.contours.failed[:, None], np.nan, getattr(m, field)) for m in motions]
    places = np.stack([_padded(k[None, :, None], frames) for k in known])
    yield xr.DataArray(places[:, 0, :, 0, ::-1], coordinates, ('cine', 'frame', 'coord'), name=name)


def _as_they_are(motion: SliceMotion) -> bool:
  return motion.contours.drawn or motion.contours.corrected


def _sides(motion: SliceMotion, points: int) -> np.ndarray:
  """Returns `[side, T, points, 2]`, closed; of drawn curves every point as it is, then the first once or more."""
  sides = np.stack([motion.contours.endo, motion.contours.epi])
  if not _as_they_are(motion):
    return np.stack([closed(side, points) for side in sides])
  again = np.repeat(sides[:, :, :1], points - sides.shape[2], axis=2)
  return np.concatenate([sides, again], axis=2)


def closed(curve: np.ndarray, points: int = POINTS) -> np.ndarray:
  """Returns the open curve `[T, P, 2]` as `[T, points, 2]` whose last point repeats the first.

  The new points divide the old curve's chords in the same places whatever the curve, so that points of endo- and
  epicardium that lay at one angle still do (within the width of a chord's bend, 0.01 degrees).
  """
  count = curve.shape[1]
  at = np.linspace(0, count, points)
  low = np.minimum(at.astype(int), count - 1)
  share = (at - low)[:, None]
  return curve[:, low] * (1 - share) + curve[:, (low + 1) % count] * share


def _padded(array: np.ndarray, frames: int) -> np.ndarray:
  """Returns `[side, T, ...]` with NaN appended to `frames` frames."""
  missing = frames - array.shape[1]
  return np.pad(array, [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)], constant_values=np.nan)


def _packing(array: xr.DataArray) -> dict:
  if array.dtype != np.float64:
    return {}
  largest = np.nanmax(np.abs(array.values), initial=0.0)
  scale = float(largest) / _CODES.max or 1.0
  return {array.name: {'dtype': 'int32', 'scale_factor': scale, '_FillValue': _CODES.min}}
