"""What a compressed picture says of its own size, read from the markers of JPEG, JPEG-LS and JPEG 2000.

A decoder is given the size by the DICOM header and takes the rest from the stream. GDCM ends the whole process where
the two disagree, so they are compared before it is asked.

Sources: ITU-T T.81 B.2.2 (frame header), T.87 C.2.2 (the same for JPEG-LS), T.800 A.5.1 (image and tile size).
"""

import dataclasses

_START, _JPEG_2000 = b'\xff\xd8', b'\xff\x4f\xff\x51'
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # start-of-frame markers; the three are tables
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


@dataclasses.dataclass(frozen=True)
class Size:
  """Rows, columns, samples a pixel and bits a sample of a stream."""

  rows: int
  columns: int
  samples: int
  bits: int


def size_of(stream: bytes) -> Size | None:
  """Returns the size that a stream states; None when it is none of the three, or cut before it says."""
  at = stream.find(_JPEG_2000, 0, 4096)  # behind the boxes of a JP2 file
  if at >= 0 and len(stream) >= at + 43:
    x, y, x0, y0 = (_number(stream, at + k, 4) for k in (8, 12, 16, 20))
    return Size(y - y0, x - x0, _number(stream, at + 40, 2), (stream[at + 42] & 0x7F) + 1)
  if stream[:2] != _START:
    return None
  at = 2
  while at + 10 <= len(stream) and stream[at] == 0xFF:
    marker = stream[at + 1]
    if marker in _FRAMES:
      return Size(_number(stream, at + 5, 2), _number(stream, at + 7, 2), stream[at + 9], stream[at + 4])
    if marker == 0xFF:  # a fill byte
      at += 1
    else:
      at += 2 if marker in _WITHOUT_LENGTH else 2 + max(2, _number(stream, at + 2, 2))
  return None


def _number(stream: bytes, at: int, width: int) -> int:
  return int.from_bytes(stream[at : at + width], 'big')
