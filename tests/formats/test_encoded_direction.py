"""Labels of velocity encoding: which direction of the patient they mean, worked out by hand."""

import pytest

from ear_jax.formats.dicom.encoded_direction import Label, of_label, patient_axis, picture_axis, read_label

TILTED = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)  # across: left and back; down: feet; the normal: (-0.6, 0.8, 0)


@pytest.mark.parametrize(
  ('words', 'expected'),
  [
    ('*fl2d1_v150in', Label(150, 'through', '')),
    ('fl3d1_v20fh', Label(20, '', 'fh')),
    ('v150_through', Label(150, 'through', '')),
    ('v33_inplane_rl', Label(33, 'inplane', 'rl')),
    ('v150cm/s', Label(150, '', '')),
    ('v120_through_hf', Label(120, 'through', 'hf')),
    ('V12.5_INPLANE_AP ', Label(12.5, 'inplane', 'ap')),
    ('*tfi2d1_12', None),  # balanced cine
    ('*fl2d1', None),
    ('epfid2d1_64', None),
    ('v0_through', None),  # no encoding
    ('vibe_v2_tra', None),
    ('', None),
  ],
)
def test_the_parts_of_a_label(words, expected):
  assert read_label(words) == expected


@pytest.mark.parametrize(
  ('label', 'through', 'expected'),
  [
    (Label(20, 'through', ''), 1, (-0.6, 0.8, 0.0)),
    (Label(20, 'through', ''), -1, (0.6, -0.8, 0.0)),
    (Label(20, 'through', 'rl'), 1, (0.6, -0.8, 0.0)),  # letters say the sign
    (Label(20, 'inplane', 'rl'), 1, (0.8, 0.6, 0.0)),
    (Label(20, 'inplane', 'lr'), 1, (-0.8, -0.6, 0.0)),
    (Label(20, 'inplane', 'fh'), 1, (0.0, 0.0, 1.0)),  # down points to the feet
    (Label(20, 'inplane', 'ap'), 1, (0.8, 0.6, 0.0)),  # of the two in the plane the one that is nearer
    (Label(20, '', 'ap'), 1, (0.0, 1.0, 0.0)),  # letters alone: the patient's axis
    (Label(20, '', ''), 1, None),
  ],
)
def test_the_direction_of_a_label(label, through, expected):
  found = of_label(label, TILTED, through=through)
  assert found == (expected and pytest.approx(expected))


def test_without_orientation_only_the_patients_axes_are_known():
  assert of_label(Label(20, 'through', ''), None, through=1) is None
  assert of_label(Label(20, 'inplane', 'rl'), None, through=1) is None
  assert of_label(Label(20, '', 'hf'), None, through=1) == (0.0, 0.0, -1.0)


def test_axes_of_an_oblique_picture_get_a_name_each():
  # The normal is as near to left as across is, but across is the only one near to the back.
  oblique = (0.66, 0.75, 0.0, 0.42, -0.37, 0.83)
  assert picture_axis('ap', oblique) == pytest.approx(oblique[:3])
  assert picture_axis('si', oblique) == pytest.approx([-v for v in oblique[3:]])
  assert picture_axis('rl', oblique)[0] > 0.6
  assert patient_axis('si') == (0.0, 0.0, -1.0)
