"""All files of an analysed study: masks, contours, curves, markers, workbooks, StrainMap's file and DICOM SEG.

    <slice>_mask.nii.gz        the wall, (column, row, 1, frame)
    <slice>_velocity.xlsx      curves and markers in StrainMap's layout
    contours.csv curves.csv markers.csv motion.csv     all slices, one line a value
    <pseudonym>.nc             contours for StrainMap
    seg/<slice>/frame-000.dcm  DICOM segmentations, where the study came as DICOM

`docs/results_files.md` describes them for users. Nothing here knows a name or a date; the caller gives a pseudonym.
"""

import dataclasses
import pathlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from absl import logging

from ear_jax.analysis.motion import COMPONENTS, INTERVALS, SliceMotion
from ear_jax.formats import nifti, strainmap
from ear_jax.formats.dicom import instances, seg
from ear_jax.formats.opened import NAME
from ear_jax.formats.source import Source
from ear_jax.formats.strainmap_marks import Mark
from ear_jax.report import workbook
from ear_jax.system.csv_files import write_csv
from ear_jax.system.errors import UsageError, UserError


@dataclasses.dataclass(frozen=True, eq=False)
class SliceResult:
  """What the files of one slice are made from; no video.

  Attributes:
    motion: the analysis of the slice.
    source: where its cine came from; its instances, if any, are what SEG refers to.
    strainmap_name: '<SeriesNumber> <SeriesDescription>' of the magnitude series, by which StrainMap knows the cine;
      '' for the id of the slice. It goes into the `.nc` file and the workbook as it is: a description may identify.
    fingerprint: of its pictures, by which the `.nc` file finds back to them (`formats.strainmap_marks`); '' unknown.
  """

  motion: SliceMotion
  source: Source = dataclasses.field(default_factory=Source)
  strainmap_name: str = ''
  fingerprint: str = ''

  @property
  def slice_id(self) -> str:
    """Id of the slice within its dataset, fit for a file name."""
    return re.sub(r'[^\w.-]+', '-', self.motion.name.rpartition('/')[2]).strip('.') or 'slice'

  @property
  def cine_name(self) -> str:
    """Name of the cine in StrainMap's files."""
    return self.strainmap_name or self.slice_id


def write_results(
  folder: pathlib.Path, pseudonym: str, slices: Sequence[SliceResult], *, curves: bool = True
) -> list[pathlib.Path]:
  """Writes every file of a study into `folder` and returns their paths.

  A slice that came as DICOM which a SEG cannot refer to (several frames a file, no position) gets no SEG; the reason is
  logged.

  Args:
    folder: is made; files of the same name are replaced.
    pseudonym: the study's only name in every file; letters, digits, '-', '_' and '.'.
    slices: from base to apex.
    curves: False writes masks and contours alone, and removes what an earlier analysis wrote of velocities.

  Raises:
    UserError: the pseudonym is not fit for a file name, or several slices have one name in StrainMap or as a file.
  """
  folder = pathlib.Path(folder)
  check_pseudonym(pseudonym)
  if repeated := _repeated(one.slice_id for one in slices):
    raise UserError(
      f'several slices would be written as {repeated}: rename them, with letters, digits, "-", "_" and "."'
    )
  if repeated := _repeated(one.cine_name for one in slices):
    raise UserError(
      f'several slices are called {repeated}: StrainMap could not tell them apart; use the ids of the slices'
    )
  paths = []
  moving = slices if curves else ()
  tables: dict[str, Iterable[pd.DataFrame]] = {'contours': map(contours_table, slices)}
  tables |= {'curves': map(curves_table, moving), 'markers': map(markers_table, moving)}
  for name, lazy in (tables | {'motion': map(motion_table, moving)}).items():
    path = folder / f'{name}.csv'
    if parts := list(lazy):
      write_csv(path, *parts)
      paths.append(path)
    else:
      path.unlink(missing_ok=True)
  for index, one in enumerate(slices):
    paths += _write_slice(folder, one, pseudonym, index)
    book = folder / f'{one.slice_id}_velocity.xlsx'
    if curves:
      rr = instances.rr_interval(one.source.instances[0]) if one.source.instances else ''
      position, called = one.source.position, one.cine_name
      workbook.write(book, one.motion, cine=called, pseudonym=pseudonym, offset=position, rr_interval=rr)
      paths.append(book)
    else:
      book.unlink(missing_ok=True)
  paths.append(folder / f'{pseudonym}.nc')
  names = [one.cine_name for one in slices]
  made = [one.motion.contours for one in slices]
  marks = [
    Mark(
      one.fingerprint,
      one.source.position,
      by.drawn,
      by.corrected,
      by.origins,
      by.networks,
      by.error,
      by.flags,
      one.motion.septal_reference.origin,
      one.motion.septal_reference.certain,
    )
    for one, by in zip(slices, made, strict=True)
  ]
  strainmap.write(paths[-1], [one.motion for one in slices], names, pseudonym=pseudonym, marks=marks)
  return paths


def check_pseudonym(pseudonym: str) -> None:
  """Checks that a pseudonym is fit for a file name.

  Raises:
    UserError: it is not.
  """
  if not NAME.fullmatch(pseudonym):
    raise UsageError(f'pseudonym {pseudonym!r}: use letters, digits, "-", "_" and ".", 64 at most')


def contours_table(result: SliceResult) -> pd.DataFrame:
  """Returns one line a point: slice, frame, side, point (from 0), row, column (pixels), flag (of the frame)."""
  contours = result.motion.contours
  points = np.stack([contours.endo, contours.epi], axis=1)  # [T, 2, P, 2]
  frame, side, point = (axis.ravel() for axis in np.indices(points.shape[:3]))
  sides = np.array(['endo', 'epi'], object)[side]
  table = pd.DataFrame({'slice': result.slice_id, 'frame': frame, 'side': sides, 'point': point})
  table[['row', 'column']] = points.reshape(-1, 2)
  return table.assign(flag=np.array(contours.flags, object)[frame])


def curves_table(result: SliceResult) -> pd.DataFrame:
  """Returns `SliceMotion.to_frame` with the id of the slice as its files have it."""
  return result.motion.to_frame().assign(slice=result.slice_id)


def markers_table(result: SliceResult) -> pd.DataFrame:
  """Returns the markers with slice and level in front and units in the names of the columns."""
  units = {'velocity': 'velocity_cm_s', 'time': 'time_ms', 'normalised_time': 'normalised_time_ms'}
  units |= {end: f'{end}_{"cm_s" if end.startswith("velocity") else "ms"}' for end in INTERVALS}
  table = result.motion.markers.rename(columns=units)
  table.insert(0, 'slice', result.slice_id)
  table.insert(1, 'level', result.motion.level)
  return table


def motion_table(result: SliceResult) -> pd.DataFrame:
  """Returns one line a frame: rotation rate and angle, and displacement of the whole wall by component."""
  motion = result.motion
  frame = np.arange(len(motion.rotation))
  columns = {
    'slice': result.slice_id,
    'level': motion.level,
    'frame': frame,
    'time_ms': frame * motion.frame_interval,
    'rotation_rate_rad_s': motion.rotation_rate,
    'rotation_deg': motion.rotation,
  }
  moved = {f'displacement_{name}_mm': motion.displacement[:, k] for k, name in enumerate(COMPONENTS)}
  return pd.DataFrame(columns | moved)


def _write_slice(folder: pathlib.Path, result: SliceResult, pseudonym: str, index: int) -> list[pathlib.Path]:
  motion, source = result.motion, result.source
  mask = folder / f'{result.slice_id}_mask.nii.gz'
  interval, place = motion.frame_interval, motion.place
  nifti.write_mask(motion.mask, mask, spacing=motion.spacing, frame_interval=interval, place=place)
  segs = []
  if source.instances:
    try:
      segs = seg.write(
        folder / 'seg' / result.slice_id,
        motion.mask,
        source.instances,
        pseudonym=pseudonym,
        slice_id=result.slice_id,
        series_number=9000 + index,
        frames=source.frames,
        made=motion.contours.made,
      )
    except UserError as error:
      logging.warning('no DICOM SEG of slice %s: %s', result.slice_id, error)
  return [mask, *segs]


def _repeated(names: Iterable[str]) -> str:
  return ', '.join(name for name, count in Counter(names).items() if count > 1)
