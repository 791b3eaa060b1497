"""UK Biobank's short-axis cines under the names of the tools that convert and label them (Bai et al. 2018).

    1234567/sa.nii.gz                                (column, row, slice, frame)
    1234567/sa_ED.nii.gz, label_sa_ED.nii.gz (and ES)   a frame of it, found by its pixels, and its labels
    1234567/label_sa.nii.gz                          or labels of all frames

Labels are 1 cavity, 2 myocardium, 3 right ventricle. `seg_sa*` are a network's and no reference: they are skipped,
and so are long axes. The folder, `1234567` or `1234567_2_0`, is the visit; its first seven digits are the subject.
"""

import pathlib
import re
from collections.abc import Sequence

from ear_jax.formats.labelled import Labelled, Map, by_folder
from ear_jax.formats.mnms import MEANING

_OTHERS = re.compile(r'(label_|seg_)?(sa|la_[234]ch)(_ED|_ES)?\.nii(\.gz)?')


def find(files: Sequence[pathlib.Path], root: pathlib.Path) -> list[Labelled]:
  """Returns the visits among some files."""
  folders = by_folder(files)
  return [_visit(file, folders[file.parent]) for file in files if re.fullmatch(r'sa\.nii(\.gz)?', file.name)]


def _visit(video: pathlib.Path, beside: Sequence[pathlib.Path]) -> Labelled:
  own = {file.name.partition('.')[0]: file for file in beside}
  maps = [Map(own['label_sa'])] if 'label_sa' in own else []
  for phase in ('ED', 'ES'):
    if labels := own.get(f'label_sa_{phase}'):
      maps.append(Map(labels, picture=own.get(f'sa_{phase}')))
  visit = video.parent.resolve().name
  subject = re.match(r'\d{7}', visit)
  others = tuple(file for file in own.values() if _OTHERS.fullmatch(file.name))
  return Labelled(visit, subject[0] if subject else visit, video, tuple(maps), MEANING, files=others)
