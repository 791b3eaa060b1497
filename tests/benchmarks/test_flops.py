"""The arithmetic of a network, against counts by hand."""

import pytest

from ear_jax.benchmarking import flops
from ear_jax.models.unet3d import UNet3D

VIDEO = (1, 3, 4, 8, 4)  # 96 positions at the top, 24 at the bottleneck
# Multiplications of a network with filters (2,): encoder 27 * 4 * 2 and 27 * 2 * 4, decoder 27 * (4 + 4) * 2 and
# 27 * 2 * 2, head 2 * 2, at 96 positions each; bottleneck 4 * 4 at 24.
FIRST = 96 * 216
UNET = FIRST + 96 * (216 + 432 + 108 + 4) + 24 * 16
# 3D-EAR has besides: attention, 9 * 4 * 4 twice at 96; ConvLSTM, 9 * 4 * 16 for input and for state at 24.
EAR = UNET + 96 * 2 * 144 + 24 * 2 * 576


def test_a_convolution_multiplies_and_adds_once_a_weight_and_position():
  assert flops.convolution((3, 3, 3, 4, 8), (1, 5, 6, 7, 8)) == 2 * 27 * 4 * 8 * 5 * 6 * 7


@pytest.mark.parametrize(
  ('switches', 'products'),
  [({}, UNET), ({'attention': 'channel', 'temporal': 'convlstm'}, EAR)],
  ids=['unet3d', 'ear3d'],
)
def test_a_step_is_three_passes_without_the_gradient_by_the_video(switches, products):
  work = flops.count(UNet3D(filters=(2,), **switches), VIDEO)
  assert (work.forward, work.step) == (2 * products, 2 * (3 * products - FIRST))


def test_twice_the_cines_are_twice_the_work():
  one, two = (flops.count(UNet3D(filters=(2,)), (b, *VIDEO[1:])) for b in (1, 2))
  assert (two.forward, two.step) == (2 * one.forward, 2 * one.step)
