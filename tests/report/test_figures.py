"""Pictures hold the colour that the masks ask for, at the place they ask for it."""

import math

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from ear_jax.cine import Cine
from ear_jax.report import figures, overlay
from ear_jax.scoring.segmentation import cine_metrics

LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, what a grey print makes of a colour


def masks(size=40):
  """A prediction shifted by 3 columns against its reference: true and false pixels of all kinds."""
  reference = np.zeros((size, size), np.uint8)
  reference[15:25, 12:22] = 1
  reference[18:22, 15:19] = 0
  return np.roll(reference, 3, axis=1), reference


def case(frames=4, name='d/m', spacing=(1.0, 1.0), annotated=None):
  prediction, reference = (np.stack([m] * frames) for m in masks())
  video = np.random.default_rng(0).random((frames, 40, 40, 1)).astype(np.float32)
  annotated = np.ones(frames, bool) if annotated is None else np.array(annotated)
  mask = reference * annotated[:, None, None].astype(np.uint8)
  dataset, slice_id = name.split('/')
  cine = Cine(video, mask, annotated, None, spacing, math.nan, subject='s', dataset=dataset, slice_id=slice_id)
  return figures.Case(cine, prediction)


def pixels(figure):
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def coloured(image):
  """Which pixels are blue, yellow and red enough to be a tint, `[3, H, W]`; legend patches have the full colour."""
  red, green, blue = np.moveaxis(image, -1, 0)
  return np.stack(
    [blue - red > 0.2, (red - blue > 0.2) & (green - blue > 0.2), (red - green > 0.2) & (red - blue > 0.2)]
  )


def test_every_pixel_has_the_colour_of_its_case():
  prediction, reference = (m.astype(bool) for m in masks())
  grey = np.random.default_rng(1).random((40, 40))
  blue, yellow, red = coloured(overlay.overlay_image(grey, prediction, reference))
  np.testing.assert_array_equal(blue, prediction & reference)
  np.testing.assert_array_equal(yellow, prediction & ~reference)
  np.testing.assert_array_equal(red, reference & ~prediction)
  outside = ~(prediction | reference)
  picture = overlay.overlay_image(grey, prediction, reference)
  np.testing.assert_array_equal(picture[outside], np.repeat(grey[outside][:, None], 3, axis=1))


def test_the_magnitude_shows_through():
  one = np.ones((1, 2), bool)
  dark, bright = overlay.overlay_image(np.array([[0.0, 1.0]]), one, one)[0]
  np.testing.assert_allclose(bright, overlay.TRUE_POSITIVE)
  np.testing.assert_allclose(dark, np.array(overlay.TRUE_POSITIVE) * (1 - overlay.TEXTURE))
  assert 0.2 < overlay.TEXTURE < 0.5


def test_a_grey_print_keeps_the_three_cases_apart():
  """On whatever lies beneath, red stays darker than blue and blue darker than yellow."""
  beneath = np.array([[0.0, 1.0]])
  on, off = np.ones((1, 2), bool), np.zeros((1, 2), bool)
  red, blue, yellow = (overlay.overlay_image(beneath, p, g)[0] @ LUMINANCE for p, g in [(off, on), (on, on), (on, off)])
  assert red.max() < blue.min()
  assert blue.max() < yellow.min()


def test_grey_uses_the_whole_range():
  ramp = overlay.grey(np.arange(1000.0).reshape(20, 50) - 300)
  assert (ramp.min(), ramp.max()) == (0, 1)
  assert 0.45 < np.median(ramp) < 0.55
  assert not overlay.grey(np.full((4, 4), 7.0)).any()


def test_window_is_square_around_all_masks_and_inside_the_picture():
  marks = np.zeros((2, 60, 50), bool)
  marks[0, 20, 20] = marks[1, 29, 24] = True
  # Rows 20 to 29, 10 pixels; a margin of half of that on each side makes 20, centred on the masks.
  assert overlay.heart_window(marks, margin=0.5) == (slice(15, 35), slice(12, 32))
  corner = np.zeros((60, 50), bool)
  corner[55:, :8] = True
  assert overlay.heart_window(corner, margin=1.0) == (slice(36, 60), slice(0, 24))
  assert overlay.heart_window(np.zeros((9, 8), bool)) == (slice(0, 9), slice(0, 8))


def test_overview_draws_all_three_colours_in_their_proportion():
  prediction, reference = masks()
  image = pixels(figures.cine_overview(case(1)))
  drawn = coloured(image).sum(axis=(1, 2))
  p, g = prediction.astype(bool), reference.astype(bool)
  expected = np.array([(p & g).sum(), (p & ~g).sum(), (g & ~p).sum()])
  # The legend adds a patch of each colour, less than a fiftieth of the picture.
  np.testing.assert_allclose(drawn / drawn.sum(), expected / expected.sum(), atol=0.02)


def test_the_picture_is_the_overlay_within_the_window():
  prediction, reference = masks()
  axis = figures.cine_overview(case(1)).axes[0]
  window = overlay.heart_window(np.stack([prediction, reference]))
  tinted = coloured(np.asarray(axis.images[0].get_array()))
  np.testing.assert_array_equal(tinted[0], (prediction & reference)[window].astype(bool))


def test_overview_takes_annotated_frames_over_the_whole_cycle():
  annotated = [False, True, True, True, False, True, True, True]
  figure = figures.cine_overview(case(8, annotated=annotated), frames=4)
  titles = [axis.get_title() for axis in figure.axes if axis.get_visible()]
  assert [title.split(',')[0] for title in titles] == ['frame 1', 'frame 3', 'frame 5', 'frame 7']
  prediction, reference = masks()
  dice = 2 * (prediction & reference).sum() / (prediction.sum() + reference.sum())
  assert titles[0].endswith(f'Dice {dice:.2f}')


def test_a_failed_prediction_is_all_red():
  failed = case(2)._replace(prediction=None)
  figure = figures.cine_overview(failed)
  blue, yellow, red = coloured(np.asarray(figure.axes[0].images[0].get_array()))
  assert not blue.any()
  assert not yellow.any()
  assert red.sum() == failed.cine.mask[0].sum()
  assert figure.axes[0].get_title() == 'frame 0, failed'


def test_result_has_a_row_per_cine_of_any_length():
  figure = figures.result_figure({'best': case(6), 'worst': case(1, spacing=(math.nan, math.nan))}, frames=3)
  assert sum(axis.get_visible() for axis in figure.axes) == 3 + 1
  labels = [axis.get_ylabel() for axis in figure.axes if axis.get_ylabel()]
  assert labels == ['best', 'worst']


def test_scale_bar_and_proportions_follow_the_spacing():
  anisotropic = figures.cine_overview(case(1, spacing=(2.0, 1.0))).axes[0]
  assert anisotropic.get_aspect() == 2.0
  bar = anisotropic.lines[0].get_xdata()
  assert bar[1] - bar[0] == pytest.approx(20)  # 20 mm over 1 mm columns
  assert not figures.cine_overview(case(1, spacing=(math.nan, math.nan))).axes[0].lines


def test_nothing_to_draw_is_refused():
  with pytest.raises(ValueError, match='d/m: no frame is annotated'):
    figures.cine_overview(case(2, annotated=[False, False]))
  with pytest.raises(ValueError, match='no cine'):
    figures.result_figure({})


def curve_rows(levels=('base', 'mid')):
  prediction, reference = (np.stack([m] * 3) for m in masks())
  parts = []
  for subject in ('a', 'b'):
    for level in levels:
      shifted = reference if subject == 'a' else prediction
      names = {'subject': subject, 'dataset': subject, 'slice_id': level or 'x', 'level': level}
      parts.append(cine_metrics(shifted, reference, np.ones(3), (1.0, 1.0), **names, surface=False))
  return pd.concat(parts, ignore_index=True)


def test_dice_curve_is_the_mean_over_subjects():
  rows = curve_rows()
  axis = figures.dice_against_frame(rows).axes[0]
  mean = next(line for line in axis.lines if line.get_label() == 'mean over subjects')
  np.testing.assert_array_equal(mean.get_xdata(), [0, 1, 2])
  expected = (1 + rows['dice'].min()) / 2
  np.testing.assert_allclose(mean.get_ydata(), expected)
  band = axis.collections[0].get_paths()[0].vertices[:, 1]
  spread = (1 - rows['dice'].min()) / math.sqrt(2)  # SD of two values
  assert (band.min(), band.max()) == pytest.approx((expected - spread, expected + spread))


def test_dice_curve_has_a_panel_per_level():
  assert [a.get_title() for a in figures.dice_against_frame(curve_rows(('apex', 'base'))).axes] == ['base', 'apex']
  assert [a.get_title() for a in figures.dice_against_frame(curve_rows(('',))).axes] == ['all slices']
  empty = curve_rows().assign(case='both_empty')
  with pytest.raises(ValueError, match='none of 12 frames'):
    figures.dice_against_frame(empty)


def test_the_same_figure_is_the_same_file(tmp_path):
  for name in ('one', 'two'):
    figures.save(figures.cine_overview(case(2)), tmp_path / f'{name}.png', dpi=60)
  assert (tmp_path / 'one.png').read_bytes() == (tmp_path / 'two.png').read_bytes()
  with Image.open(tmp_path / 'one.png') as image:
    assert 'Software' not in image.info


def test_figures_leave_nothing_behind():
  settings = dict(matplotlib.rcParams)
  figures.cine_overview(case(2))
  figures.dice_against_frame(curve_rows())
  assert Gcf.get_all_fig_managers() == []
  assert dict(matplotlib.rcParams) == settings
