"""nnU-Net's folders of raw data, short axis, magnitude only.

    dataset.json                  the values of the labels by their names
    imagesTr/<case>_0000.nii.gz   (column, row, slice), a frame, or with a fourth axis of frames
    labelsTr/<case>.nii.gz        labels on the same grid; imagesTs and labelsTs likewise

The names in dataset.json say what a value is where people use them ('MYO', 'left ventricular myocardium'); else
`Choices.label` must. Cases `<patient>_frame01` and `<patient>_frame12` are two visits of one subject.
"""

import json
import pathlib
import re
from collections.abc import Sequence

from ear_jax.formats.faults import Fault
from ear_jax.formats.labelled import Labelled, Map
from ear_jax.formats.labels import Meaning

_IMAGE = re.compile(r'(?P<case>.+)_(?P<channel>\d{4})\.nii(\.gz)?')
_FRAME = re.compile(r'_(frame|phase|t)\d+$|_(ED|ES)$', re.IGNORECASE)
_NAMES = {  # what sets call the structures, without case, spaces, '-' and '_'
  'myocardium': 'myo myocardium lvm mlv lvmyo lvmyocardium myolv leftventricularmyocardium',
  'cavity': 'lv lvc lvcavity lvbp cavity leftventricle leftventricularcavity leftventricularbloodpool endo',
  'right ventricle': 'rv rvc rvcavity rvbp rightventricle rightventricularcavity rightventricularbloodpool',
}


def find(files: Sequence[pathlib.Path], root: pathlib.Path) -> list[Labelled]:
  """Returns the cases among some files."""
  there = set(files)
  return [
    _case(file, match, there, root)
    for file in files
    if file.parent.name in ('imagesTr', 'imagesTs') and (match := _IMAGE.fullmatch(file.name))
    if match['channel'] == '0000'
  ]


def _case(image: pathlib.Path, match: re.Match, there: set[pathlib.Path], root: pathlib.Path) -> Labelled:
  case, top = match['case'], image.parent.parent
  folder = top / image.parent.name.replace('images', 'labels')
  maps = [Map(path) for ending in ('.nii.gz', '.nii') if (path := folder / f'{case}{ending}') in there]
  second = image.with_name(image.name.replace(f'{case}_0000', f'{case}_0001'))
  faults = []
  if second in there:
    rule = 'a second channel of the case: only magnitude is read, keep _0000'
    faults.append(Fault(str(second.relative_to(root)), '', rule))
  described = top / 'dataset.json'
  meaning: Meaning = {}
  if described in there:
    try:
      meaning = _meaning(json.loads(described.read_bytes()))
    except (ValueError, AttributeError, RecursionError):
      faults.append(Fault(str(described.relative_to(root)), '', 'no description of labels in JSON that we understand'))
  files = (second, described) if second in there else (described,)
  return Labelled(case, _FRAME.sub('', case), image, tuple(maps), meaning, tuple(faults), files)


def _meaning(described: dict) -> Meaning:
  """Returns the structures by value, or nothing where no name is the myocardium's; both versions' spelling is read."""
  pairs = [(str(a), str(b)) for a, b in described['labels'].items()] if 'labels' in described else []
  by_value = {int(a): b for a, b in pairs if a.isdigit()} or {int(b): a for a, b in pairs if b.isdigit()}
  meaning = {value: _structure(name) for value, name in by_value.items() if value}
  return meaning if list(meaning.values()).count('myocardium') == 1 else {}


def _structure(name: str) -> str:
  plain = re.sub(r'[\s_-]', '', name).lower()
  return next((structure for structure, names in _NAMES.items() if plain in names.split()), name)
