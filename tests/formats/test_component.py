"""Which part of the complex signal a picture shows, by the words that scanners use."""

import pytest

from ear_jax.formats.dicom.component import component, is_magnitude


@pytest.mark.parametrize(
  ('standard', 'image_type', 'private', 'wanted'),
  [
    ('', ('ORIGINAL', 'PRIMARY', 'M', 'ND'), '', 'M'),
    ('', ('ORIGINAL', 'PRIMARY', 'P', 'ND'), '', 'P'),
    ('', ('ORIGINAL', 'PRIMARY', 'MAG', 'ND'), '', 'MAG'),
    ('', ('ORIGINAL', 'PRIMARY', 'M_FFE', 'M', 'FFE'), 'M', 'M'),
    ('', ('ORIGINAL', 'PRIMARY', 'M_PCA', 'M', 'PCA'), 'M', 'M_PCA'),
    ('', ('ORIGINAL', 'PRIMARY', 'PHASE CONTRAST M', 'P', 'PCA'), '', 'P'),
    ('', ('ORIGINAL', 'PRIMARY', 'B0 MAP', 'B0', 'UNSPECIFIED'), 'B0', 'B0'),
    ('MAGNITUDE', ('ORIGINAL', 'PRIMARY', 'MAG', 'NONE'), '', 'MAG'),
    ('PHASE', ('ORIGINAL', 'PRIMARY', 'VELOCITY', 'NONE'), '', 'P'),
    ('REAL', ('ORIGINAL', 'PRIMARY', 'T1', 'FIELD_MAP'), '', 'B0'),
    ('MIXED', ('ORIGINAL', 'PRIMARY', 'FLOW', 'MIXED'), 'P', 'P'),
    ('MIXED', ('ORIGINAL', 'PRIMARY', 'FLOW', 'MIXED'), '', ''),
    ('', ('ORIGINAL', 'PRIMARY', 'OTHER'), '', ''),
    ('', ('ORIGINAL', 'PRIMARY', 'CARDIAC', 'NONE'), '', ''),
    ('', ('DERIVED', 'SECONDARY'), '', ''),
    ('', (), 'R', 'R'),
  ],
)
def test_words_of_scanners(standard, image_type, private, wanted):
  """Cases B13, B15: Siemens, Philips, GE and the standard."""
  assert component(standard, image_type, private) == wanted
  assert is_magnitude(wanted) == (wanted in ('M', ''))
