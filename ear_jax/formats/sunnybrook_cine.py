"""Sunnybrook Cardiac Data, layout `cine`: whole magnitude cines as DICOM, with contours at end diastole and systole.

    <root>/images/<patient>/IM-0001-<nnnn>.dcm
    <root>/contours/<patient>/contours-manual/IRCCI-expert/IM-0001-<nnnn>-{i,o}contour-manual.txt

A contour is a closed polygon, one `x y` pair a line (column, row; whole numbers are pixel centres, from 0); i is the
endocardium, o the epicardium. The myocardium is what lies inside o and outside i, so a frame is annotated only where
both exist: end diastole. Slices without such a frame are left out.

The polygon is filled by the rule "centre inside". The PNG masks of the layout `frames` were drawn otherwise, from
vertices rounded down and with the pixels of the boundary: that moves them by a quarter of a pixel towards the origin.
"""

import pathlib
import re
from collections.abc import Iterator

import numpy as np
from skimage.draw import polygon2mask

from ear_jax.cine import Cine
from ear_jax.formats.dicom import magnitude as dicom
from ear_jax.formats.faults import Fault, require_folder, require_none
from ear_jax.formats.sunnybrook import subject_id

_CONTOUR = re.compile(r'(?P<image>IM-\d{4}-\d{4})-(?P<kind>[io])contour-manual\.txt')
_HOLDING = 'the folders images and contours of Sunnybrook cines'


def read_cines(root: str | pathlib.Path) -> Iterator[Cine]:
  """Returns one cine a slice that has a reference: video `[T, H, W, 1]`, annotated where both contours exist.

  Raises: MalformedStudy, before the first cine, with every fault of every file.
  """
  root = pathlib.Path(root)
  require_folder(root / 'images', _HOLDING)
  patients = sorted(path.name for path in (root / 'images').iterdir() if path.is_dir())
  found = [] if patients else [Fault('images', '', f'no patient in this folder; expected {_HOLDING}')]
  strangers = {path.name for path in (root / 'contours').glob('*') if path.is_dir()} - set(patients)
  found += [Fault(f'contours/{name}', '', f'contours without images: add images/{name}') for name in strangers]
  arranged = {}
  for patient in patients:
    if not re.fullmatch(r'SC-(HF-I|HF-NI|HYP|N)-\d+', patient):
      found.append(Fault(f'images/{patient}', '', 'folder is not named after a patient, such as SC-HF-I-1'))
      continue
    arranged[patient], faults = dicom.arrange(root / 'images' / patient, root)
    found += faults + _contour_faults(root, patient, arranged[patient])
  require_none(root, found)
  return (cine for patient, slices in arranged.items() for cine in _read(root, patient, slices))


def read_contour(path: pathlib.Path) -> np.ndarray:
  """Returns the points `[N, 2]` of a contour file as (column, row) in pixels.

  Raises: ValueError when a line is not two numbers, or when there are fewer than three points.
  """
  lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
  bad = [number for number, words in enumerate(lines, start=1) if len(words) != 2]
  if bad:
    raise ValueError(f'line {bad[0]} is not one `x y` pair')
  points = np.array(lines, dtype=float).reshape(-1, 2)
  if len(points) < 3 or not np.isfinite(points).all():
    raise ValueError('expected at least three points, all of them finite')
  return points


def fill(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Returns the bool mask `shape` of the pixels whose centre lies inside the polygon `[N, 2]` of (column, row)."""
  return polygon2mask(shape, points[:, ::-1])


def _contours(root: pathlib.Path, patient: str) -> dict[tuple[str, str], pathlib.Path]:
  """Returns the contour files of a patient by (image, kind); other names, such as papillary contours, are not ours."""
  folder = root / 'contours' / patient / 'contours-manual' / 'IRCCI-expert'
  matches = ((_CONTOUR.fullmatch(path.name), path) for path in sorted(folder.glob('*.txt')))
  return {(match['image'], match['kind']): path for match, path in matches if match}


def _contour_faults(root: pathlib.Path, patient: str, slices: dicom.Slices) -> list[Fault]:
  places = {frame.path.stem: (s, t, frame) for s, one in enumerate(slices) for t, frame in enumerate(one.pictures)}
  contours, found = _contours(root, patient), []
  for (image, kind), path in contours.items():
    file = str(path.relative_to(root))
    if image not in places:
      found.append(Fault(file, '', f'contour without image: add images/{patient}/{image}.dcm or remove the contour'))
      continue
    s, t, frame = places[image]
    within = f'slice {s}, frame {t}'
    if kind == 'o' and (image, 'i') not in contours:
      rule = f'epicardium without endocardium: add {image}-icontour-manual.txt or remove this contour'
      found.append(Fault(file, within, rule))
    try:
      points = read_contour(path)
    except ValueError as error:
      found.append(Fault(file, within, f'not a contour: {error}'))
      continue
    rows, columns = frame.shape or (0, 0)
    if (points < -0.5).any() or (points > np.array([columns, rows]) - 0.5).any():
      found.append(Fault(file, within, f'contour leaves the picture of {rows} rows x {columns} columns'))
  return found


def _read(root: pathlib.Path, patient: str, slices: dicom.Slices) -> Iterator[Cine]:
  contours, subject = _contours(root, patient), subject_id(patient)
  for index, one in enumerate(slices):
    images = [frame.path.stem for frame in one.pictures]
    annotated = np.array([(image, 'i') in contours and (image, 'o') in contours for image in images])
    if not annotated.any():
      continue
    cine = dicom.cine(one, subject=subject, dataset=subject, slice_id=dicom.slice_id(index))
    mask = np.zeros(cine.mask.shape, np.uint8)
    for t in np.flatnonzero(annotated):
      inner, outer = (fill(read_contour(contours[images[t], kind]), cine.mask.shape[1:]) for kind in 'io')
      mask[t] = outer & ~inner
    yield cine.replace(mask=mask, annotated=annotated)
