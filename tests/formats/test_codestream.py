"""Sizes of compressed pictures: those that GDCM wrote, hand-made headers, and a header that lies."""

import gdcm
import pydicom
import pytest
from pydicom.encaps import get_frame
from velocity_scan import compress, edit

from ear_jax.formats.dicom import instances, pixels
from ear_jax.formats.dicom.codestream import Size, size_of

SYNTAXES = ('JPEGLosslessProcess14_1', 'JPEGLSLossless', 'JPEG2000Lossless')


@pytest.mark.parametrize('syntax', SYNTAXES)
def test_what_gdcm_writes(scan, syntax):
  compress(scan.file(), getattr(gdcm.TransferSyntax, syntax))
  image = pydicom.dcmread(scan.file())
  found = size_of(get_frame(image.PixelData, 0))
  assert (found.rows, found.columns, found.samples) == (24, 24, 1)
  assert found.bits in (12, 16)


@pytest.mark.parametrize('syntax', SYNTAXES)
@pytest.mark.parametrize('lie', [{'Rows': 32}, {'Columns': 12}, {'Rows': 12, 'Columns': 48}, {'BitsAllocated': 8}])
def test_a_header_that_lies_about_it_is_refused_before_a_decoder_is_asked(scan, syntax, lie):
  """GDCM would end the process, and this test with it."""
  compress(scan.file(), getattr(gdcm.TransferSyntax, syntax))
  (picture,) = instances.read(scan.file())
  assert pixels.stored(picture).shape == (24, 24)
  edit(scan.file(), **lie)
  with pytest.raises(instances.Refused, match='the compressed picture has 24 x 24 pixels of'):
    pixels.stored(picture)


def test_a_frame_header_behind_tables_and_fill_bytes():
  table = b'\xff\xc4\x00\x04ab'
  frame = b'\xff\xff\xf7\x00\x0b\x0c\x00\x20\x01\x00\x01\x01\x11\x00'  # 12 bits, 32 rows, 256 columns, one sample
  assert size_of(b'\xff\xd8' + table + frame) == Size(32, 256, 1, 12)


@pytest.mark.parametrize(
  'stream', [b'', b'\xff\xd8', b'\xff\xd8\xff\xc4\x00\x00' * 3, b'no picture', b'\xff\x4f\xff\x51ab']
)
def test_what_says_nothing(stream):
  assert size_of(stream) is None
