"""Contours that people drew, as files beside studies: StrainMap's `.nc` and the challenge's text files, checked.

StrainMap's files hold several cines; its training exports are studies of their own and are not read here. The text
files of the Sunnybrook challenge, `IM-0001-<nnnn>-{i,o}contour-<by>.txt`, hold one side of one picture each, i for the
endocardium, o for the epicardium: a closed polygon, one `x y` pair a line (column, row; whole numbers are pixel
centres). `references` says which contours belong to which slice.

These files count pixels from 1, as MATLAB does: the challenge's own evaluation (Radau et al., `compare_contours.m`,
2009) gives their numbers to `poly2mask` as they are and takes no contour that reaches below 1. The pictures agree:
counted from 0, walls and contours are one pixel apart, down and right, in patients on their back and on their side.

Names that a scanner or StrainMap gave may hold a patient's: sentences name files, and cines by their number.
"""

import dataclasses
import pathlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from ear_jax.analysis.drawn import Pair
from ear_jax.formats import strainmap, strainmap_train
from ear_jax.formats.faults import Fault
from ear_jax.formats.strainmap_marks import UNMARKED, Mark
from ear_jax.formats.walk import ends
from ear_jax.system.errors import UserError

_TEXT = re.compile(r'IM-\d{4}-(?P<number>\d{4,6})-(?P<side>[io])contour-[\w-]+\.txt')

_FIRST = 1  # number of the first row and column in text files
_RESULTS = 'summary.json'  # lies in each folder of ours


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
  """The contours of one cine in a StrainMap file, or of all pictures in one folder of text files.

  Attributes:
    path: of the file or the folder.
    file: the same as sentences name it, relative to what was searched.
    called: what within it: 'cine 2'; '' for text files.
    frames: endo- and epicardium `[N, 2]` (row, column) by frame, or by the number of the picture for text files.
    name: StrainMap's name of the cine; not for sentences.
    count: frames of the cine that the contours are of; None for text files.
    septum: `[T, 2]` (row, column), NaN where not stated; None for text files.
    signs, sectors: as `strainmap.StrainMapSlice`.
    mark: the pictures that the contours belong to, as far as the file says.
    cavities: endocardium `[N, 2]` of pictures in which it was drawn alone; they are no reference for the wall.
  """

  path: pathlib.Path
  file: str
  called: str
  frames: Mapping[int, Pair]
  name: str = ''
  count: int | None = None
  septum: np.ndarray | None = None
  signs: tuple[int, int, int] | None = None
  sectors: str = ''
  mark: Mark = UNMARKED
  cavities: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)

  def by_hand(self) -> Self:
    """Returns the contours without those that followed from others, or are a network's."""
    if not self.mark.origins:
      return self
    own = self.mark.by_hand
    return dataclasses.replace(self, frames={t: pair for t, pair in self.frames.items() if own[t]})


class Found(NamedTuple):
  """What `find` found: contours, and what is wrong with files that should hold some."""

  drawn: tuple[Drawn, ...]
  faults: tuple[Fault, ...]


def find(path: str | pathlib.Path) -> Found:
  """Returns all contours at `path`, a file or a folder with its subfolders.

  In a folder, contours that a network made are skipped as long as no person has changed them, and so are those among
  our own results that do not say who made them.
  """
  path = pathlib.Path(path)
  if not path.is_dir():
    return _read([path], path.parent)
  return among([one for one in sorted(path.rglob('*')) if one.is_file() and is_contours(one)], path)


def is_contours(file: pathlib.Path) -> bool:
  """Returns whether a file holds contours, by its name."""
  strainmaps = ends(file, '.nc') and not ends(file, strainmap_train.ENDING) and not file.name.startswith('.')
  return strainmaps or bool(_TEXT.fullmatch(file.name))


def among(files: Sequence[pathlib.Path], root: pathlib.Path) -> Found:
  """Returns the contours by persons of some files; sentences name them relative to `root`."""
  in_files = _read(files, root)
  return in_files._replace(drawn=tuple(one for one in in_files.drawn if _by_person(one)))


def read_contour(path: pathlib.Path) -> np.ndarray:
  """Returns the points `[N, 2]` of a contour's text file as (column, row) in pixels, counted from 0.

  Raises: ValueError when a line is not two numbers, or when there are fewer than three points.
  """
  lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
  bad = [number for number, words in enumerate(lines, start=1) if len(words) != 2]
  if bad:
    raise ValueError(f'line {bad[0]} is not one `x y` pair')
  points = np.array(lines, dtype=float).reshape(-1, 2) - _FIRST
  if len(points) < 3 or not np.isfinite(points).all():
    raise ValueError('expected at least three points, all of them finite')
  return points


def _read(files: Sequence[pathlib.Path], root: pathlib.Path) -> Found:
  drawn, faults = [], []
  texts: dict[pathlib.Path, dict[tuple[int, str], pathlib.Path]] = defaultdict(dict)
  for file in files:
    if match := _TEXT.fullmatch(file.name):
      texts[file.parent][int(match['number']), match['side']] = file
      continue
    try:
      drawn += _cines(file, root)
    except UserError as error:
      faults.append(Fault(_named(file, root), '', str(error).removeprefix(f'{file}: ')))
  for folder, sides in texts.items():
    one, all_faults = _pictures(folder, sides, root)
    drawn.append(one)
    faults += all_faults
  return Found(tuple(drawn), tuple(sorted(faults)))


def _by_person(one: Drawn) -> bool:
  unsaid = (one.path.parent / _RESULTS).exists() and not one.mark.fingerprint
  return one.mark.drawn and not unsaid


def _named(file: pathlib.Path, root: pathlib.Path) -> str:
  return str(file.relative_to(root))


def _cines(file: pathlib.Path, root: pathlib.Path) -> list[Drawn]:
  return [
    Drawn(
      file,
      _named(file, root),
      f'cine {number}',
      {t: pair for t, pair in enumerate(one.pairs()) if pair},
      name=one.name,
      count=len(one.annotated),
      septum=one.septum,
      signs=one.signs,
      sectors=one.sectors,
      mark=one.mark,
    )
    for number, one in enumerate(strainmap.read_contours(file).values(), start=1)
    if one.annotated.any() or not one.mark.fingerprint  # of ours: a slice without a ventricle
  ]


def _pictures(
  folder: pathlib.Path, sides: Mapping[tuple[int, str], pathlib.Path], root: pathlib.Path
) -> tuple[Drawn, list[Fault]]:
  frames: dict[int, Pair] = {}
  cavities: dict[int, np.ndarray] = {}
  faults = []
  for number in sorted({number for number, _ in sides}):
    pair: list[np.ndarray | None] = []
    for side in 'io':
      points = None
      if file := sides.get((number, side)):
        try:
          points = read_contour(file)[:, ::-1]
        except (ValueError, OSError) as error:
          faults.append(Fault(_named(file, root), '', f'not a contour: {error}'))
      pair.append(points)
    if (number, 'o') in sides and (number, 'i') not in sides:
      rule = 'epicardium without endocardium: add the other, or remove this contour'
      faults.append(Fault(_named(sides[number, 'o'], root), '', rule))
    endo, epi = pair
    if endo is not None and epi is not None:
      frames[number] = (endo, epi)
    elif endo is not None:
      cavities[number] = endo
  return Drawn(folder, _named(folder, root), '', frames, cavities=cavities), faults
