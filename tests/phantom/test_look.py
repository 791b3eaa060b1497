"""Varied looks: what is drawn lies in its ranges, the truth stays exact, and the plain look keeps its bits."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from ear_jax.phantom import look, study

TURNED = dataclasses.replace(study.VARIED, turned=True)
SLICES = [study.plan(TURNED)[k] for k in (0, 4, 8, 16)]
LOOKS = [look.draw_look(np.random.default_rng(seed), turned=True) for seed in range(60)]


@pytest.fixture(scope='module')
def scans():
  return [(p, study.render(p), study.truth(p)) for p in SLICES]


def test_what_is_drawn_lies_in_its_range():
  for name, span in look.RANGES.items():
    values = [getattr(one, name) for one in LOOKS]
    assert span.low <= max(values) <= span.high, name
    assert min(values) >= (0.0 if name == 'ghost' else span.low)
    assert max(values) - min(values) > 0.6 * (span.high - span.low)


def test_blood_and_wall_differ_either_way_round():
  ratios = np.array([one.contrast.blood / one.contrast.muscle for one in LOOKS])
  assert (np.abs(np.log(ratios)) > np.log(1.39)).all()
  assert (ratios < 1).sum() >= 5
  assert (ratios > 1).sum() >= 5
  assert {one.family for one in LOOKS} == {'ssfp', 'gradient_echo', 'spiral', 'free'}
  assert len({(one.mirrored, one.quarters) for one in LOOKS}) == 8
  assert not any(look.draw_look(np.random.default_rng(seed)).mirrored for seed in range(9))


def test_the_plain_look_changes_nobody():
  p = study.plan(study.MINI)[5]
  subject, visit, _ = study.people(p)
  again = look.dress(subject, visit, look.PLAIN)
  plain, worn = (dataclasses.replace(one.heart, thickness_harmonics=()) for one in (subject, again[0]))
  assert (plain, visit) == (worn, again[1])
  assert subject.chest == again[0].chest


@pytest.mark.parametrize(
  ('size', 'seed', 'index', 'mask', 'sums'),
  [
    (study.MINI, 0, 0, 13543, (104975403.0, 546046.3, 526268.9, 818046.2)),
    (study.MINI, 1, 2, 7617, (88334798.0, 433093.4, 426099.5, 704021.3)),
    (study.MANY, 5, 31, 13769, (42711142.0, 429678.2, 393122.0, 641376.4)),
    (dataclasses.replace(study.PAPER, frames=2), 0, 7, 3003, (113475480.0, 4109075.6, 4605465.3, 6239625.5)),
  ],
  ids=['mini', 'other', 'many', 'paper'],
)
def test_phantoms_of_a_version_are_what_they_were(size, seed, index, mask, sums):
  """Sums of each channel over the scan, as recorded for version 2.0.0 of the data sets: a change needs a new one."""
  cine = study.render(study.plan(size, seed)[index])
  assert cine.mask.sum() == mask
  np.testing.assert_allclose(np.abs(cine.video.astype(float)).sum((0, 1, 2)), sums, rtol=1e-6)


def test_a_spot_is_a_bell_of_its_height():
  one = look.Look(spot=0.6, spot_angle=1.0, spot_width=0.5)
  flat = study.people(study.plan(study.MINI)[0])
  heart = dataclasses.replace(flat[0].heart, thickness_harmonics=(0j,), inner_harmonics=(0j,))
  subject, visit = look.dress(dataclasses.replace(flat[0], heart=heart), flat[1], one)
  turn = np.linspace(0, 2 * np.pi, 721)
  harmonics = subject.heart.thickness_harmonics
  thickness = subject.heart.thickness * (
    1 + sum(c.real * np.cos(k * turn) + c.imag * np.sin(k * turn) for k, c in enumerate(harmonics, 1))
  )
  bell = sum(np.exp(-0.5 * ((turn - 1.0 - 2 * np.pi * k) / 0.5) ** 2) for k in (-1, 0, 1))
  np.testing.assert_allclose(thickness, heart.thickness * (1 + 0.6 * bell), atol=0.01 * heart.thickness)
  assert visit == flat[1]


def test_the_wall_is_one_ring_inside_the_picture():
  tight = dataclasses.replace(TURNED, frames=3, subjects=20, slices=(20,), matrix=56)  # many hearts need a large pixel
  for p in study.plan(tight, 1):
    mask = study._mask(study.people(p)[2], p.size)
    assert not mask[:, [0, -1]].any()
    assert not mask[:, :, [0, -1]].any()
    for frame in mask:
      assert (ndimage.label(frame)[1], ndimage.label(1 - frame)[1]) == (1, 2)


def test_pixels_differ_between_people_and_agree_within_one():
  spacings = {p.subject: p.size.spacing for p in study.plan(study.VARIED)}
  assert all({p.size.spacing} == {spacings[p.subject]} for p in study.plan(study.VARIED))
  assert min(spacings.values()) < 1.1
  assert max(spacings.values()) > 1.6


def test_mask_and_velocity_are_the_truth_of_the_varied_heart(scans):
  for p, cine, truth in scans:
    np.testing.assert_array_equal(cine.mask, truth.mask)
    assert cine.spacing == (p.size.spacing, p.size.spacing)
    assert not truth.velocity[truth.mask == 0].any()
    assert (np.abs(truth.velocity) < 0.85 * np.asarray(cine.venc)).all()
    exact = study.exact(p)
    np.testing.assert_array_equal(exact.video[..., 1:], truth.velocity)
    np.testing.assert_array_equal(exact.mask, truth.mask)


def test_the_scan_shows_the_true_velocities(scans):
  for p, cine, truth in scans:
    inside = ndimage.binary_erosion(truth.mask, np.ones((1, 3, 3)))
    error = (cine.video[..., 1:] - truth.velocity)[inside]
    venc = np.asarray(cine.venc)
    error = np.median((error + venc) % (2 * venc) - venc, axis=0)
    one = study.look(p.size, p.seed, p.subject_index)
    # Background of at most 3 cm/s over the heart, the same in every frame, is what the middle of the errors holds.
    assert (np.abs(error) < 3.2).all(), (one.family, one.snr, error)


def test_the_wall_has_its_own_brightness(scans):
  """Away from the borders the wall's and the cavity's medians stand as the drawn contrast says."""
  for p, cine, truth in scans:
    tissue = study.people(p)[0].contrast
    frame = study.exact(p).video[0, ..., 0]
    wall = np.median(frame[ndimage.binary_erosion(truth.mask[0], np.ones((3, 3)))])
    row, column = np.rint(truth.centre[0]).astype(int)
    cavity = np.median(frame[row - 2 : row + 3, column - 2 : column + 3])
    assert (cavity > wall) == (tissue.blood > tissue.muscle)
    assert cine.video[..., 0].max() > cine.video[..., 0].min()


def test_a_slice_has_the_same_bits_on_its_own(scans):
  p, first, _ = scans[1]
  study.render(SLICES[3])
  np.testing.assert_array_equal(study.render(p).video, first.video)


def test_trabeculae_lie_within_the_wall_and_belong_to_the_cavity(monkeypatch):
  """Muscle in the cavity's outer 4 mm, more of it at the free wall than at the septum; the reference stays."""
  size = dataclasses.replace(study.VARIED, frames=1)
  plans = [p for p in study.plan(size)[1::3] if study.look(size, p.seed, p.subject_index).family == 'ssfp'][:6]
  drawn, share = study.look, []
  for p in plans:
    pictures = []
    for depth in (0.0, 5.0):
      monkeypatch.setattr(
        study, 'look', lambda *of, d=depth: dataclasses.replace(drawn(*of), trabeculae=d, papillary=())
      )
      pictures.append(study.exact(p))
    np.testing.assert_array_equal(pictures[0].mask, pictures[1].mask)
    truth, tissue = study.truth(p), study.people(p)[0].contrast
    rows, columns = np.indices(truth.mask[0].shape)
    towards = np.arctan2(columns - truth.centre[0, 1], rows - truth.centre[0, 0]) - truth.septal_angle
    inside = ndimage.binary_fill_holes(truth.mask[0]) & (truth.mask[0] == 0)
    band = inside & (ndimage.distance_transform_edt(inside) * p.size.spacing < 4)
    fall = (pictures[0].video - pictures[1].video)[0, ..., 0]
    fall /= np.median(pictures[0].video[0, ..., 0][inside]) * (1 - tissue.muscle / tissue.blood)
    share.append([fall[band & (sign * np.cos(towards) > 0.7)].mean() for sign in (1, -1)])
  septum, free = np.mean(share, axis=0)
  assert 0 < septum < 0.6 * free, share
  assert free > 0.3
