"""The central window and the way back, over odd and even sizes, smaller and larger than the picture."""

import itertools

import numpy as np
import pytest

from ear_jax.data.window import beyond_picture, central_window, paste_window

SIZES = (5, 6)
SHAPES = list(itertools.product((5, 6, 9, 10, 3, 4), repeat=2))


def picture(rows, columns):
  return np.arange(1.0, 1 + 2 * rows * columns).reshape(2, rows, columns)


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('edge', [True, False])
def test_paste_undoes_the_window_inside_and_leaves_zero_outside(size, edge):
  for rows, columns in SHAPES:
    whole = picture(rows, columns)
    window = central_window(whole, size, edge=edge)
    back = paste_window(window, rows, columns)
    assert window.shape == (2, size, size)
    inside = back != 0
    assert inside.sum() == 2 * min(size, rows) * min(size, columns)
    np.testing.assert_array_equal(back[inside], whole[inside])
    found = np.argwhere(inside[0])
    middle = (found[0] + found[-1]) / 2  # of what was kept, at most half a pixel off the middle of the picture
    assert (np.abs(middle - (np.array((rows, columns)) - 1) / 2) <= 0.5).all()


def test_hand_values_within_and_beyond_the_picture():
  whole = np.arange(1, 10).reshape(1, 3, 3)
  np.testing.assert_array_equal(central_window(whole, 1), [[[5]]])
  np.testing.assert_array_equal(central_window(whole, 1, (-1, 1)), [[[3]]])  # offset is rows, columns
  np.testing.assert_array_equal(central_window(whole, 3, (2, 1)), [[[8, 9, 0], [0, 0, 0], [0, 0, 0]]])
  np.testing.assert_array_equal(central_window(whole, 3, (2, 1), edge=True), [[[8, 9, 9]] * 3])


def test_channels_stay_together_and_the_type_is_kept():
  video = np.stack([picture(4, 6), -picture(4, 6)], axis=-1).astype(np.float32)
  for edge in (True, False):
    window = central_window(video, 5, edge=edge)
    assert (window.shape, window.dtype) == ((2, 5, 5, 2), np.float32)
    np.testing.assert_array_equal(window[..., 0], central_window(video[..., 0], 5, edge=edge))
    np.testing.assert_array_equal(window[..., 1], -window[..., 0])
  assert central_window(np.ones((1, 3, 3), np.uint8), 5).dtype == np.uint8


@pytest.mark.parametrize(
  ('sizes', 'size', 'unit', 'expected'),
  [
    ([(96, 96)] * 3, 192, 16, (3, 96, 4.0)),
    ([(90, 90)], 96, 16, (0, 96, 1.0)),  # the smallest that the network takes
    ([(90, 90)], 112, 16, (1, 96, (112 / 96) ** 2)),
    ([(208, 168)], 192, 16, (0, 208, 1.0)),  # columns are fewer, rows are cut
    ([(64, 48), (256, 256)], 128, 8, (1, 256, 1.0)),
    ([(95, 40)], 96, 1, (1, 95, (96 / 95) ** 2)),
  ],
)
def test_a_window_that_is_larger_than_any_need_is_known(sizes, size, unit, expected):
  assert beyond_picture(sizes, size, unit) == expected
