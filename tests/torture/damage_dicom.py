"""Damage to the DICOM files of a study: headers, protocol text, pixels, transfer syntaxes."""

import io
import pathlib
import random

import numpy as np
import pydicom
from hostile import NUMBERS, TEXTS, damage_bytes, scalar
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

_TEXT = (0x0021, 0x1019)
_TAGS = (
  *('SOPClassUID', 'SOPInstanceUID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SeriesNumber', 'InstanceNumber'),
  *('PatientID', 'PatientName', 'Modality', 'ImageType', 'ImageComments', 'InPlanePhaseEncodingDirection', 'Rows'),
  *('Columns', 'SamplesPerPixel', 'NumberOfFrames', 'PhotometricInterpretation', 'BitsAllocated', 'BitsStored'),
  *('HighBit', 'PixelRepresentation', 'PlanarConfiguration', 'PixelSpacing', 'TriggerTime', 'SliceLocation'),
  *('ImagePositionPatient', 'ImageOrientationPatient', 'RescaleSlope', 'RescaleIntercept', 'SeriesDescription'),
  *('SliceThickness', 'FrameOfReferenceUID', 'SpecificCharacterSet', 'SmallestImagePixelValue', 'PixelPaddingValue'),
)
_SYNTAXES = (
  *('1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.2', '1.2.3.4', ''),
  *(f'1.2.840.10008.1.2.4.{k}' for k in (50, 51, 57, 70, 80, 81, 90, 91, 92, 100, 102, 106, 107, 201, 202, 203)),
  *('1.2.840.10008.1.2.5', '1.2.840.10008.1.2.8.1'),
)


def damage(folder: pathlib.Path, rng: random.Random) -> str:
  """Damages one file of the study, one series or all of it; returns what was done."""
  files = sorted(folder.glob('*.dcm'))
  one = rng.choice(files)
  series = one.name.split('.')[3]
  which = rng.choice(([one], [path for path in files if path.name.split('.')[3] == series], files))
  name, change = rng.choice(_CHANGES)
  seed = rng.random()
  done = 0
  for path in which:
    try:
      changed = change(path, random.Random(seed))
    except Exception:  # pydicom refuses to write some values: another file of ours to try, no fault of the reader
      continue
    path.write_bytes(changed)
    done += 1
  return f'{name}, {done} of {len(files)} files'


def _written(image, **options):
  stream = io.BytesIO()
  with pydicom.config.disable_value_validation():
    pydicom.dcmwrite(stream, image, **options)
  return stream.getvalue()


def _edited(edit):
  def change(path, rng):
    image = pydicom.dcmread(path)
    with pydicom.config.disable_value_validation():
      edit(image, rng)
    return _written(image)

  return change


def _set_text(image, rng):
  tag = pydicom.tag.Tag(rng.choice(_TAGS))
  image.add_new(tag, rng.choice(('LO', 'IS', 'DS', 'UI', 'CS', 'OB', 'UT', 'PN')), rng.choice(TEXTS))


def _set_number(image, rng):
  tag = rng.choice(_TAGS)
  values = [rng.choice(NUMBERS) for _ in range(rng.choice((1, 1, 2, 3, 6, 500)))]
  text = [f'{value:g}' if isinstance(value, float) else str(value) for value in values]
  vr = rng.choice(('DS', 'IS', 'US', 'FD', 'SL'))
  whole = [int(value) % 65536 if value == value and abs(value) < 2**62 else 0 for value in values]
  given = {'DS': text, 'IS': text, 'FD': [float(v) for v in values]}.get(vr, whole)
  image.add_new(pydicom.tag.Tag(tag), vr, given if len(given) > 1 else given[0])


def _set_size(image, rng):
  for tag in ('Rows', 'Columns', 'BitsAllocated', 'BitsStored', 'HighBit', 'PixelRepresentation', 'SamplesPerPixel'):
    if rng.random() < 0.35:
      setattr(image, tag, rng.choice((0, 1, 2, 7, 8, 12, 16, 24, 32, 64, 1024, 65535)))
  if rng.random() < 0.3:
    image.NumberOfFrames = rng.choice(('0', '2', '-1', '2147483647', '99999999999999'))


def _delete(image, rng):
  for element in rng.sample(list(image), rng.choice((1, 2, 5))):
    del image[element.tag]


def _protocol(image, rng):
  text = bytes(image[_TEXT].value)
  word = str(scalar(rng)).encode()
  number = b'[%d].nVelocity\t = \t' % rng.randrange(3)
  text = text.replace(number, number + word + b'\n', 1) if rng.random() < 0.6 else damage_bytes(text, rng)
  image[_TEXT].value = text + b' ' * (len(text) % 2)


def _pixels(image, rng):
  count = image.Rows * image.Columns
  kind = rng.randrange(5)
  if kind == 0:
    image.PixelData = rng.randbytes(2 * count)
  elif kind == 1:
    image.PixelData = np.full(count, rng.choice((0, 1, 2048, 4095, 4096, 65535)), np.uint16).tobytes()
  else:
    image.PixelData = image.PixelData[: 2 * rng.randrange(count)] if kind < 4 else b''


def _nested(image, rng):
  for _ in range(rng.choice((5, 400))):
    outer = Dataset()
    outer.ReferencedImageSequence = Sequence([image if 'PixelData' not in image else Dataset()])
    image.ReferencedImageSequence = outer.ReferencedImageSequence
    image = outer.ReferencedImageSequence[0]


def _syntax(path, rng):
  image = pydicom.dcmread(path)
  syntax = rng.choice(_SYNTAXES)
  old = path.read_bytes()
  named = str(image.file_meta.TransferSyntaxUID).encode()
  return old.replace(named, syntax.encode()[: len(named)].ljust(len(named), b'\0'), 1)


_CHANGES = (
  ('bytes', lambda path, rng: damage_bytes(path.read_bytes(), rng)),
  ('bytes', lambda path, rng: damage_bytes(path.read_bytes(), rng)),
  ('text in a tag', _edited(_set_text)),
  ('text in a tag', _edited(_set_text)),
  ('numbers in a tag', _edited(_set_number)),
  ('numbers in a tag', _edited(_set_number)),
  ('declared sizes', _edited(_set_size)),
  ('tags removed', _edited(_delete)),
  ('protocol text', _edited(_protocol)),
  ('pixels', _edited(_pixels)),
  ('nested sequences', _edited(_nested)),
  ('transfer syntax', _syntax),
)
