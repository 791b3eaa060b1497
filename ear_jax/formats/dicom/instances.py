"""DICOM pictures in a folder: found by content, their headers read, grouped into studies.

An `Instance` is one picture: a file of its own, or one frame of an enhanced file (`enhanced`).
"""

import contextlib
import dataclasses
import hashlib
import pathlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.misc import is_dicom
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from ear_jax.formats import checks
from ear_jax.formats.dicom import enhanced
from ear_jax.formats.dicom.header import WANTED, Instance, instance
from ear_jax.formats.dicom.private import GROUPS
from ear_jax.formats.faults import Fault, once

_SUFFIXES = ('.dcm', '.dicom', '.ima')
_PICTURES = ('1.2.840.10008.5.1.4.1.1.4', *enhanced.CLASSES, '')


@dataclasses.dataclass(frozen=True)
class Found:
  """The DICOM pictures below a folder: by StudyInstanceUID, with the notes and faults of what belongs to none."""

  studies: Mapping[str, tuple[Instance, ...]]
  notes: tuple[str, ...]
  faults: tuple[Fault, ...]


def find(paths: Iterable[pathlib.Path], root: pathlib.Path) -> Found:
  """Reads the headers of those of `paths` that are DICOM pictures; faults name files relative to `root`."""
  studies: dict[str, list[Instance]] = {}
  faults: list[tuple[pathlib.Path, Fault]] = []
  passed: Counter[str] = Counter()
  for path in sorted(paths):
    try:
      if is_dicom(checks.ordinary(path)):
        pictures = read(path)
        rule, why = _unusable(pictures[0])
      else:
        named = path.suffix.lower() in _SUFFIXES
        rule = 'no DICOM file: the mark DICM is missing after the preamble. Export the file again or remove it' * named
        why = 'not DICOM'
    except Exception as error:  # pydicom raises errors of many kinds for a broken file, and all mean the same here
      rule, why = f'not a readable DICOM file ({reason(error)}): export it again or remove it', ''
    if rule:
      faults.append((path.parent, Fault(str(path.relative_to(root)), '', rule)))
    elif why:
      passed[why] += 1
    else:
      studies.setdefault(pictures[0].study, []).extend(pictures)
  notes = tuple(f'{count} {"file" if count == 1 else "files"} skipped: {why}' for why, count in sorted(passed.items()))
  return Found({uid: tuple(v) for uid, v in studies.items()}, notes, tuple(once(faults)))


def _unusable(picture: Instance) -> tuple[str, str]:
  """Returns the fault of a file whose first picture is none of a study, and why it is skipped; '' for neither."""
  if picture.kind not in _PICTURES:
    known = UID(picture.kind).name
    return '', f'DICOM, but no MR picture ({known if known != picture.kind else "of a SOP class that is not standard"})'
  if picture.modality not in ('MR', ''):
    return '', 'DICOM, but no MR picture (Modality is another)'
  if not picture.study and not picture.shape:
    return 'not a readable DICOM file (empty header): export it again or remove it', ''
  if not picture.study:
    return 'StudyInstanceUID is missing: nothing says which study the picture belongs to', ''
  if not picture.shape and not picture.photometric:
    return '', 'DICOM, but an MR object without a picture'
  return '', ''


class Refused(ValueError):
  """A file that we do not try to read; its text is ours and quotes no word of the header."""


def reason(error: Exception) -> str:
  """Returns what kind of error a DICOM library raised; its text may quote the header, so it is not repeated."""
  return str(error) if isinstance(error, Refused) else type(error).__name__


def read(path: pathlib.Path) -> list[Instance]:
  """Returns the headers of the pictures of a DICOM file. Raises whatever pydicom raises when it is not readable."""
  with quiet():
    refuse_deflated(checks.ordinary(path))
    header = pydicom.dcmread(path, stop_before_pixels=True)
    for key in [*header.keys()]:  # before anything is decoded: a block that an archive has moved has no tags to ask for
      if key not in WANTED and key.group not in GROUPS:
        del header[key]
      elif isinstance(raw := header.get_item(key), RawDataElement) and raw.VR == 'DS' and b',' in (raw.value or b''):
        header[key] = raw._replace(value=(raw.value or b'').replace(b',', b'.'))  # of a program in another language
    if header.get('SOPClassUID') not in enhanced.CLASSES:
      return [instance(header, path, None)]
    try:
      return [instance(frame, path, number) for number, frame in enumerate(enhanced.headers(header))]
    except ValueError as error:
      raise Refused(str(error)) from error


def unclear_notes(pictures: Sequence[Instance]) -> list[str]:
  """Returns a note that names the tags which hold something that cannot be understood."""
  tags = Counter(tag for picture in pictures for tag in set(picture.unclear))
  stated = ', '.join(f'{tag} (in {count} of {len(pictures)} pictures)' for tag, count in sorted(tags.items()))
  return [f'not understood, and taken as missing: {stated}'] * bool(stated)


def series_name(path: pathlib.Path) -> str:
  """Returns '<SeriesNumber> <SeriesDescription>' of a file, StrainMap's name of a cine; free text that may identify."""
  with quiet():
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['SeriesNumber', 'SeriesDescription'])
    return f'{header.get("SeriesNumber", "")} {header.get("SeriesDescription", "")}'.strip()


def rr_interval(path: pathlib.Path) -> str:
  """Returns '900±20', mean and deviation of the RR interval in ms where the comments are 'RR 900 +/- 20'; '' else."""
  with quiet():
    comments = str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=['ImageComments']).get('ImageComments'))
  stated = re.match(r'\s*RR\s+([\d.]+)\s*\+/-\s*([\d.]+)', comments)
  return f'{stated[1]}±{stated[2]}' if stated else ''


def pseudonym(study_uid: str) -> str:
  """Returns the id of a visit, `study-` and eight hexadecimal digits, from its StudyInstanceUID."""
  return f'study-{hashlib.sha256(study_uid.encode()).hexdigest()[:8]}'


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Silences pydicom, whose warnings would quote the header."""
  with pydicom.config.disable_value_validation(), warnings.catch_warnings():
    warnings.simplefilter('ignore')
    yield


def refuse_deflated(path: pathlib.Path) -> None:
  """Raises Refused for a file that is compressed as a whole."""
  # A thousandth of what it holds, it may be a bomb; pydicom unpacks it whole before it looks at anything.
  if pydicom.filereader.read_file_meta_info(path).get('TransferSyntaxUID') == DeflatedExplicitVRLittleEndian:
    raise Refused('it is deflated as a whole: export it uncompressed')
