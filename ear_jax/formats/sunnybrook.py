"""Sunnybrook Cardiac Data, layout `frames`: one 8-bit PNG for each contoured frame, with filled masks.

    <root>/images/<patient>-IM-0001-<nnnn>.png   grey, 8 bit: the picture; pixel spacing is lost
    <root>/endo/<same name>, <root>/epi/<same name>   0 or 255: inside the endocardium, inside the epicardium

The epicardium was drawn at end diastole alone, so only there is the myocardium (epi minus endo) known; frames without
an epi mask are end systole, and are left out: a single frame without a reference teaches nothing. Masks are taken as
given, though whoever filled them counted pixels of the texts from 0: `sunnybrook_cine` says by how much they are off.

Source: Radau et al., "Evaluation framework for algorithms segmenting short axis cardiac MRI", The MIDAS Journal, 2009,
hdl:10380/3070. Licence of the data: CC0 1.0. The DICOM layout is in `sunnybrook_cine`.
"""

import pathlib
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from ear_jax.cine import UNKNOWN, Cine
from ear_jax.formats.faults import Fault, require_folder, require_none

PATIENT = re.compile(r'SC-(?:HF-I|HF-NI|HYP|N)-\d+')
_NAME = re.compile(rf'(?P<patient>{PATIENT.pattern})-(?P<image>IM-\d{{4}}-\d{{4}})\.png')
_HOLDING = 'the folders images, endo and epi of Sunnybrook frames'


def subject_id(patient: str) -> str:
  """Returns the one spelling of a patient's id: 'SC-HF-I-1' and 'SC-HF-I-01' are both 'SC-HF-I-01'."""
  group, number = patient.rsplit('-', 1)
  return f'{group}-{int(number):02d}'


def read_frames(root: str | pathlib.Path) -> Iterator[Cine]:
  """Returns the end-diastolic frames as cines of one frame, magnitude only, in the order of their names.

  A cine has video `[1, H, W, 1]` in 0..255 (arbitrary units), mask `[1, H, W]`, spacing and frame interval NaN;
  subject and dataset are the patient's id, slice_id is `IM-0001-<nnnn>`.

  Raises: MalformedStudy, before the first cine, with every fault of every file.
  """
  root = pathlib.Path(root)
  require_folder(root / 'images', _HOLDING)
  pictures = {path.name: path for path in sorted((root / 'images').glob('*.png'))}
  require_none(root, _faults(root, pictures))
  return (_read(root, path) for name, path in pictures.items() if (root / 'epi' / name).exists())


def _faults(root: pathlib.Path, pictures: dict[str, pathlib.Path]) -> list[Fault]:
  faults = []
  if not pictures:
    faults.append(Fault('images', '', f'no .png in this folder; expected {_HOLDING}'))
  for kind in ('endo', 'epi'):
    orphans = {path.name for path in (root / kind).glob('*.png')} - pictures.keys()
    faults += [
      Fault(f'{kind}/{name}', 'frame 0', f'mask without image: add images/{name} or remove the mask')
      for name in orphans
    ]
  for name in pictures:
    if not _NAME.fullmatch(name):
      rule = 'name is not <patient>-IM-<series>-<nnnn>.png with a patient such as SC-HF-I-01'
      faults.append(Fault(f'images/{name}', '', rule))
    elif (root / 'epi' / name).exists():
      faults += _picture_faults(root, name)
  return faults


def _picture_faults(root: pathlib.Path, name: str) -> list[Fault]:
  """Returns the faults of one annotated frame: its picture and its two masks."""
  if not (root / 'endo' / name).exists():
    return [Fault(f'epi/{name}', 'frame 0', f'epi mask without endo mask: add endo/{name}, or remove the epi mask')]
  faults, arrays = [], {}
  for kind in ('images', 'endo', 'epi'):
    try:
      arrays[kind] = _pixels(root / kind / name)
    except (OSError, UnidentifiedImageError, ValueError) as error:
      faults.append(Fault(f'{kind}/{name}', 'frame 0', f'not a readable 8-bit grey PNG ({error})'))
  if faults:
    return faults
  shape = arrays['images'].shape
  for kind in ('endo', 'epi'):
    mask = arrays[kind]
    if mask.shape != shape:
      faults.append(Fault(f'{kind}/{name}', 'frame 0', f'mask has shape {mask.shape}, its image {shape}'))
    if not np.isin(mask, (0, 255)).all():
      faults.append(Fault(f'{kind}/{name}', 'frame 0', 'mask holds values other than 0 and 255'))
  if not faults and not _myocardium(arrays['endo'], arrays['epi']).any():
    faults.append(Fault(f'epi/{name}', 'frame 0', 'no myocardium is left: the epi mask lies within the endo mask'))
  return faults


def _read(root: pathlib.Path, path: pathlib.Path) -> Cine:
  parts = _NAME.fullmatch(path.name)
  assert parts  # `_faults` has looked at the name
  subject = subject_id(parts['patient'])
  myocardium = _myocardium(_pixels(root / 'endo' / path.name), _pixels(root / 'epi' / path.name))
  return Cine(
    video=_pixels(path)[None, :, :, None].astype(np.float32),
    mask=myocardium[None].astype(np.uint8),
    annotated=np.ones(1, bool),
    venc=None,
    spacing=(UNKNOWN, UNKNOWN),
    frame_interval=UNKNOWN,
    subject=subject,
    dataset=subject,
    slice_id=parts['image'],
  )


def _myocardium(endo: np.ndarray, epi: np.ndarray) -> np.ndarray:
  return (epi > 0) & (endo == 0)


def _pixels(path: pathlib.Path) -> np.ndarray:
  with Image.open(path) as image:
    if image.mode != 'L':
      raise ValueError(f'its mode is {image.mode}')
    return np.asarray(image)
