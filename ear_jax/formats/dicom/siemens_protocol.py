"""The protocol text in the private part of a Siemens header: the sequence, and the velocity encoding limits.

Newer files keep it as bytes in (0021,xx19) of the block `SIEMENS MR SDS 01`, older ones in the CSA series header
(0029,xx20) as the field `MrPhoenixProtocol`. Three lines of it matter:

    tSequenceFileName<TAB> = <TAB>""%CustomerSeq%\\ParallelSpirals""
    sAngio.sFlowArray.asElm[0].nVelocity<TAB> = <TAB>30

Element 0 is the venc through the plane, elements 1 and 2 are those in the plane, all in cm/s.
"""

import dataclasses
import math
import re

from pydicom.dataset import Dataset

from ear_jax.formats.dicom.private import Private

_GROUP, _CREATOR, _ELEMENT = 0x0021, 'SIEMENS MR SDS 01', 0x19
_CSA = 0x0029, 'SIEMENS CSA HEADER', 0x20
_VELOCITY = re.compile(r'asElm\[([0-9]+)\]\.nVelocity[ \t]*=[ \t]*(\S+)[ \t]*\r?$', re.MULTILINE)
_SEQUENCE = re.compile(r'tSequenceFileName[ \t]*=[ \t]*"+([^"\r\n]*)"+')
_SPIRALS = re.compile(r'Parallel.?Spirals')
_FASTEST = 500.0  # cm/s


@dataclasses.dataclass(frozen=True)
class Protocol:
  """What the text says: whether the sequence is the parallel spirals', and the raw words of each velocity element."""

  spirals: bool
  words: tuple[tuple[int, str], ...]

  def venc(self, element: int) -> float:
    """Returns the venc in cm/s of element 0 (through the plane), 1 or 2 (in it).

    Raises: ValueError with one sentence when it is missing, contradictory or not a positive number.
    """
    values = {word for number, word in self.words if number == element}
    name = f'asElm[{element}].nVelocity'
    if not values:
      raise ValueError(f'venc is missing: no {name} in the protocol text')
    if len(values) > 1:
      raise ValueError(f'venc is contradictory: {len(values)} different values of {name} in the protocol text')
    try:
      value = float(values.pop())
    except ValueError:
      raise ValueError(f'venc is not a number: {name} in the protocol text') from None
    if not math.isfinite(value) or not 0 < value <= _FASTEST:
      raise ValueError(f'venc is {value:g} ({name}), expected a positive number of cm/s up to {_FASTEST:g}')
    return value


def parse(header: Private) -> Protocol | None:
  """Returns what the protocol text of a header says; None when there is no such text."""
  text = _newer(header) or _older(header)
  if not text:
    return None
  sequence = _SEQUENCE.search(text)
  words = sorted({(int(number), word) for number, word in _VELOCITY.findall(text)})
  return Protocol(bool(sequence and _SPIRALS.search(sequence[1])), tuple(words))


def add(header: Dataset, venc: tuple[float, float, float]) -> None:
  """Puts the protocol text into a header; `venc` in cm/s through the plane and the two in it."""
  lines = ['### ASCCONV BEGIN ###', 'tSequenceFileName\t = \t""%CustomerSeq%\\ParallelSpirals""']
  lines += [f'sAngio.sFlowArray.asElm[{k}].nVelocity\t = \t{v:g}' for k, v in enumerate(venc)]
  text = '\n'.join([*lines, '### ASCCONV END ###', '']).encode()
  header.private_block(_GROUP, _CREATOR, create=True).add_new(_ELEMENT, 'OB', text + b' ' * (len(text) % 2))


def _newer(header: Private) -> str:
  value = header.value(_GROUP, _CREATOR, _ELEMENT)
  return value if isinstance(value, str) else _decoded(value)


def _older(header: Private) -> str:
  # The CSA header is binary, but the text lies in it in one piece behind the field's name.
  value = header.value(*_CSA)
  return _decoded(value.partition(b'MrPhoenixProtocol')[2]) if isinstance(value, bytes) else ''


def _decoded(value) -> str:
  # The lines that matter are ASCII; a byte elsewhere that is not UTF-8 does not change them.
  return bytes(value).decode('utf-8', errors='replace') if isinstance(value, bytes | bytearray) else ''
