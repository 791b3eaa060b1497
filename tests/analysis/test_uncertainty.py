"""Intervals of peaks and times: what is drawn has the spread that is stated, and what comes out behaves."""

import dataclasses

import numpy as np
import pytest
from known_motion import make, ring

from ear_jax.analysis import uncertainty
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import INTERVALS, Contours
from ear_jax.analysis.redrawn import along_rays
from ear_jax.analysis.slices import analyse, analyse_with_contours
from ear_jax.analysis.uncertainty import READER, Uncertainty, drawn_changes, said, with_intervals

FRAMES, CENTRE = 16, (30.2, 31.3)
EXACT = Uncertainty(offset=0, jitter=0, size=0, shape=0, breath=0, rim=0)


def beating(noise=0.0, venc=(20.0, 20.0, 30.0), seed=0):
  """A ring that stays where it is, whose muscle moves inward and down with a beat; blood and chest do not move."""
  rng = np.random.default_rng(seed)
  row, column = np.indices((64, 64)) - np.array(CENTRE)[:, None, None]
  far, t = np.hypot(row, column), np.arange(FRAMES) * 50 / FRAMES
  beat = sum(a * np.exp(-0.5 * ((t - c) / w) ** 2) for c, a, w in ((6, 3.0, 2.5), (24, -5.0, 2.5), (44, -2.0, 2.5)))[
    :, None, None
  ]
  wall = ring((64, 64), CENTRE, 14, 22)
  plane = [-(column / far) * beat, -(row / far) * beat, 2 * beat * (1 + 0 * far)]
  velocity = np.stack(plane, -1) * wall[..., None] + noise * rng.normal(size=(FRAMES, 64, 64, 3))
  video = np.concatenate([np.full((FRAMES, 64, 64, 1), 100.0), velocity], -1)
  return make(video, np.repeat(wall[None], FRAMES, 0), venc=venc)


@pytest.fixture(scope='module')
def cine():
  return beating()


@pytest.fixture(scope='module')
def motion(cine):
  return analyse(cine, cine.mask, septum=0.0)


def test_drawn_contours_are_as_uncertain_as_stated(cine, motion):
  rays, rng = along_rays(cine, motion, reach=5.0), np.random.default_rng(0)

  def spread(**stated):
    contours = uncertainty._contours(rays, dataclasses.replace(EXACT, **stated), 400, FRAMES, rng)
    return contours[0] - rays.endo, contours[1] - rays.epi, contours[2]

  endo, epi, aside = spread(offset=0.5)
  assert aside.std((0, 1)) == pytest.approx([0.5, 0.5], rel=0.15)
  assert np.ptp(aside, axis=1).max() == 0  # the same in all frames
  assert endo == pytest.approx(epi)  # the whole ring
  assert endo == pytest.approx(np.einsum('dfk,fak->dfa', aside, rays.direction))
  _, _, aside = spread(jitter=0.5)
  assert aside.std((0, 1)) == pytest.approx([0.5, 0.5], rel=0.15)
  assert np.diff(aside, axis=1).std() < 0.5  # of independent frames 0.7
  endo, epi, _ = spread(size=0.5)
  assert (endo.std(), epi.std()) == pytest.approx((0.5, 0.5), rel=0.15)
  assert abs(np.corrcoef(endo[:, 0, 0], epi[:, 0, 0])[0, 1]) < 0.2
  endo, _, _ = spread(shape=0.5)
  assert endo.std() == pytest.approx(0.5, rel=0.15)
  assert endo.mean(-1) == pytest.approx(0, abs=1e-5)  # waves enclose as much as the ring
  assert endo.mean(1).std() == pytest.approx(0.5 * np.sqrt(0.5), rel=0.3)


def test_noise_is_that_of_the_means_over_pixels():
  cine = beating(noise=1.5)
  motion = analyse(cine, cine.mask, septum=0.0)
  changes, noise = drawn_changes(cine, motion, EXACT, 100, np.random.default_rng(0))
  kept = np.sqrt(1 - 1 / FRAMES)  # without the mean over the cycle
  for group, parts in (('global', 1), ('angular6', 6), ('layers', 3)):
    pixels = cine.mask[0].sum() / parts
    assert noise[group].std((0, 2)).mean() == pytest.approx(1.5 / np.sqrt(pixels) * kept, rel=0.2), group
    assert abs(changes[group]).max() < 1e-4


def test_intervals_hold_the_estimate_and_grow_with_what_is_uncertain(cine, motion):
  narrow, wide = (with_intervals(cine, motion, one).markers for one in (READER, dataclasses.replace(READER, size=2.0)))
  known = narrow['velocity'].notna()
  for table in (narrow, wide):
    assert (table['velocity_low'] <= table['velocity'])[known].all()
    assert (table['velocity'] <= table['velocity_high'])[known].all()
    assert (table['time_low'] < table['time_high'])[table['time'].notna()].all()
    assert table['velocity_low'].isna().equals(table['velocity'].isna())
  width = [(t['velocity_high'] - t['velocity_low'])[t['group'] == 'global'].mean() for t in (narrow, wide)]
  assert width[1] > 1.3 * width[0]
  assert narrow.equals(with_intervals(cine, motion, READER).markers)  # the seed is fixed


def test_a_network_is_less_certain_where_less_dice_is_expected(cine, motion):
  good, poor = (uncertainty.of_network(dice) for dice in (0.935, 0.805))
  assert good.size == pytest.approx(READER.size)
  assert poor.shape == pytest.approx(3 * good.shape)
  assert good.rim == READER.rim
  widths = []
  for one in (good, poor):
    rows = with_intervals(cine, motion, one).markers.query("group == 'global'")
    widths.append((rows['velocity_high'] - rows['velocity_low']).mean())
  assert widths[1] > 1.5 * widths[0]


def test_contours_that_may_be_far_worse_than_most_have_longer_tails(cine, motion):
  """With a factor of standard deviation 0.4 (of its logarithm) the fourth moment of an error is 3 exp(4 x 0.16)."""
  plain = Uncertainty(offset=0.0, jitter=0.0, size=0.05, shape=0.0, breath=0.0, rim=0.0, noise=0.0)

  def kurtosis(spread):
    one = dataclasses.replace(plain, spread=spread)
    changes, _ = drawn_changes(cine, motion, one, 2000, np.random.default_rng(3))
    peak = int(np.nanargmax(abs(motion.curves['layers'][0, :, 0])))
    found = changes['layers'][:, 0, peak, 0]
    return float((found**4).mean() / (found**2).mean() ** 2)

  assert kurtosis(0.0) == pytest.approx(3, rel=0.15)
  assert kurtosis(0.4) == pytest.approx(3 * np.exp(0.64), rel=0.35)


def test_contours_drawn_too_wide_are_forgiven(cine, motion):
  """Still blood and still chest make a mean smaller; the interval says what it would be with right contours."""
  far = motion.contours.epi - np.array(CENTRE)
  wide = dataclasses.replace(motion.contours, epi=motion.contours.epi + far / np.hypot(*far[0, 0]) * 1.0)
  rows = ['group', 'component', 'marker']
  found = with_intervals(cine, analyse_with_contours(cine, wide, septum=0.0), READER).markers.set_index(rows)
  peak, true = (one.loc[('global', 'longitudinal', 'PS')].squeeze() for one in (found, motion.markers.set_index(rows)))
  assert peak['velocity'] < 0.95 * true['velocity']
  assert peak['velocity_low'] < true['velocity'] < peak['velocity_high']


def test_the_peak_of_right_contours_lies_well_within_its_interval(cine, motion):
  """Contours that are drawn wrong take still blood in, and all make the peak smaller; right ones did not."""
  table = with_intervals(cine, motion, READER).markers.query("group == 'global' and component == 'longitudinal'")
  peaks = table[table['marker'] != 'ES']
  place = (peaks['velocity'] - peaks['velocity_low']) / (peaks['velocity_high'] - peaks['velocity_low'])
  assert place.between(0.2, 0.8).all(), place.tolist()


def test_a_time_is_known_to_half_a_frame_at_best(cine, motion):
  table = with_intervals(cine, motion, EXACT).markers
  peaks = table[table['marker'] == 'PD']
  half = (peaks['time_high'] - peaks['time_low']) / 2 / cine.frame_interval
  assert half.to_numpy() == pytest.approx(0.475, abs=0.03)


def test_frames_without_contours_and_shared_views_are_as_in_the_curves(cine):
  contours = from_mask(cine.mask)
  failed = np.arange(FRAMES) == 3
  endo, epi = (np.where(failed[:, None, None], np.nan, side) for side in (contours.endo, contours.epi))
  lost = Contours(endo, epi, contours.flags, failed)
  settings = dataclasses.replace(analyse(cine, cine.mask).settings, view_sharing=0.1)
  motion = analyse_with_contours(cine, lost, septum=0.0, settings=settings)
  changes, noise = drawn_changes(cine, motion, READER, 10, np.random.default_rng(0))
  for found in (changes, noise):
    assert np.isnan(found['global'][:, :, 3]).all()
    assert np.isfinite(np.delete(found['angular24'], 3, axis=2)).all()
  assert with_intervals(cine, motion, READER).markers['velocity_low'].notna().any()
  assert np.nanstd(changes['global'][..., 0]) > 0
  assert np.nanmean(changes['global'], axis=2) == pytest.approx(0, abs=1e-9)


def test_where_no_interval_can_be_had_it_is_said(cine, motion):
  assert said(motion) == uncertainty.NOT_HAD
  assert motion.markers[list(INTERVALS)].isna().all(axis=None)
  with_them = with_intervals(cine, motion, READER)
  assert said(with_them) == uncertainty.HELD
  assert with_them.to_xarray()['marker_time_low'].attrs['units'] == 'ms'
  still = cine.replace(video=cine.video[..., :1], venc=None)
  assert said(with_intervals(still, analyse(still, still.mask), READER)) == uncertainty.NOT_HAD
  few = dataclasses.replace(motion.contours, failed=np.arange(FRAMES) > 5)
  assert said(with_intervals(cine, dataclasses.replace(motion, contours=few), READER)) == uncertainty.NOT_HAD
