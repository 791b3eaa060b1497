"""Batches made on the device are those of NumPy's form, within rounding; chance is jax's own."""

import functools

import jax
import numpy as np
import pytest

from ear_jax.cine import Cine
from ear_jax.config.fields import default_config
from ear_jax.data import augment, on_device
from ear_jax.data.normalise import network_input
from ear_jax.data.records import decode_cine, encode_cine

ALL = {'rot90': True, 'flip': True, 'rotate': 20.0, 'scale': 0.15, 'elastic': 1.5, 'intensity': 1.0}
FRAMES = 4


def _config(channels=4, crop=24, **changes):
  config = default_config()
  config.data.crop, config.data.channels, config.data.shift, config.data.threads = crop, channels, 3, 1
  config.augment.update(dict.fromkeys(ALL, 0.0) | {'rot90': False, 'flip': False} | changes)
  return config


@pytest.fixture(scope='module')
def examples():
  """Two cines of other sizes and scales, as a data set stores them."""
  rng, found = np.random.default_rng(0), []
  for k, (rows, columns) in enumerate([(40, 46), (39, 41)]):
    r, c = np.indices((rows, columns))
    mask = np.repeat((np.hypot(r - rows / 2, c - columns / 2) < 9)[None], FRAMES, 0).astype(np.uint8)
    video = rng.normal(size=(FRAMES, rows, columns, 4)).astype(np.float32)
    video[..., 0] = np.rint(200 + 40 * video[..., 0] + 300.0 * mask).clip(0)
    ids = {'subject': f's{k}', 'dataset': f's{k}', 'slice_id': 'a'}
    venc = (5.0 + k, 6.0, 8.0)
    annotated = np.ones(FRAMES, bool)
    found.append(encode_cine(Cine(video, mask, annotated, venc, spacing=(1.0, 1.0), frame_interval=20.0, **ids)))
  return found


def _readers(examples):
  return [functools.partial(dict, example) for example in examples]


def _host(drawn):
  """The draw as NumPy's form takes it."""
  numbers = {name: np.asarray(value) for name, value in drawn._asdict().items()}
  plain = {n: numbers[n].item() for n in ('quarters', 'mirrored', 'angle', 'zoom', 'contrast', 'lift', 'gamma')}
  return augment.Draw(**numbers | plain)


@pytest.mark.parametrize('crop', [24, 25])
@pytest.mark.parametrize('channels', [1, 4])
@pytest.mark.parametrize('tone', [0.0, 0.4])
@pytest.mark.parametrize('changes', [{}, ALL], ids=['whole pixels', 'all'])
def test_a_draw_gives_the_example_that_numpy_gives(examples, changes, tone, channels, crop):
  config = _config(channels, crop, **changes)
  config.data.tone = tone
  windows = jax.device_put(on_device.windows_of(_readers(examples), config))
  transform = jax.jit(lambda frames, drawn: on_device.transform(windows, frames, drawn, crop, bool(tone)))
  seen = set()
  for seed in range(8):
    drawn = on_device.draw(jax.random.key(seed), config.augment, config.data.shift)
    which = seed % 2
    video, mask = transform(np.arange(FRAMES) + which * FRAMES, drawn)
    cine = decode_cine(examples[which])
    expected, reference = augment.transform(network_input(cine, config), cine.mask, _host(drawn), crop)
    np.testing.assert_allclose(video, expected, atol=2e-4)
    assert (np.asarray(mask) != reference).mean() < 0.002  # a pixel on the edge between two
    seen.add((int(drawn.quarters), bool(drawn.mirrored)))
  assert len(seen) > 4 if changes else seen == {(0, False)}


def test_what_is_switched_off_is_not_drawn():
  config = _config()
  drawn = _host(on_device.draw(jax.random.key(3), config.augment, 0))
  assert drawn._replace(offset=0, bend=0) == augment.Draw(0, 0.0, 1.0, 0, 0, False)
  assert not drawn.offset.any()
  assert not drawn.bend.any()


def test_draws_fill_their_ranges():
  config = _config(**ALL)
  draws = jax.vmap(lambda seed: on_device.draw(jax.random.key(seed), config.augment, 3))(np.arange(4000))
  within = {
    'angle': (-np.deg2rad(20), np.deg2rad(20)), 'zoom': (0.85, 1.15), 'offset': (-3, 3), 'quarters': (0, 3),
    'mirrored': (0, 1), 'contrast': (0.7, 1.3), 'lift': (-0.3, 0.3), 'gamma': (np.exp(-0.4), np.exp(0.4)),
    'noise': (0, 0.08),
  }  # fmt: skip
  for name, (low, high) in within.items():
    values = np.asarray(getattr(draws, name), float)
    assert low - 1e-6 <= values.min() <= low + 0.01 * (high - low), name
    assert high - 0.01 * (high - low) <= values.max() <= high + 1e-6, name
  assert np.std(draws.bend) == pytest.approx(1.5, rel=0.02)
  pairs = np.corrcoef([draws.angle, draws.zoom, draws.contrast, draws.lift, draws.gamma, draws.noise])
  assert np.abs(pairs - np.eye(6)).max() < 0.06  # each has a key of its own


def test_noise_is_added_to_the_magnitude_alone(examples):
  config = _config(intensity=1.0)
  windows = jax.device_put(on_device.windows_of(_readers(examples), config))
  asked = {'frames': np.arange(FRAMES, dtype=np.int32)[None], 'seed': np.array([7], np.uint32)}
  batch = on_device.make_batches(config)(windows, asked)
  chance, _ = jax.random.split(jax.random.key(7))
  drawn = on_device.draw(chance, config.augment, config.data.shift)
  video, _ = on_device.transform(windows, asked['frames'][0], drawn, 24)
  added = np.asarray(batch['video'][0] - video)
  assert added[..., 0].std() == pytest.approx(float(drawn.noise), rel=0.05)
  assert not added[..., 1:].any()


def test_parts_of_a_cycle_are_normalised_on_their_own(examples):
  config = _config(channels=1)
  config.data.frames, config.data.shift = 2, 0
  windows = jax.device_put(on_device.windows_of(_readers(examples), config))
  asked = {'frames': np.array([[3, 0], [5, 6]], np.int32), 'seed': np.zeros(2, np.uint32)}
  batch = on_device.make_batches(config)(windows, asked)
  for k, frames in enumerate(([3, 0], [1, 2])):
    cut = {name: examples[k][name][frames] for name in ('video', 'mask', 'annotated')}
    cine = decode_cine(examples[k] | cut)
    still = augment.draw(config.augment, np.random.default_rng(0), 0)
    expected, mask = augment.transform(network_input(cine, config), cine.mask, still, 24)
    np.testing.assert_allclose(batch['video'][k], expected, atol=1e-5)
    np.testing.assert_array_equal(batch['mask'][k], mask)
