"""Draws a phantom slice as the paper's Figure 1 shows a scan: magnitude, three phases and mask over several frames.

`python docs/images/phantom.py --output docs/images/phantom.png`
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from absl import flags
from matplotlib.figure import Figure

import ear_jax.cine as cines
from ear_jax.cine import Cine
from ear_jax.phantom import study
from ear_jax.system import cli
from ear_jax.system.errors import UserError

_TITLES = ('magnitude', 'phase, along column', 'phase, along row', 'phase, through plane', 'mask')
_INCHES, _DPI = 1.6, 100


def draw(cine: Cine, frames: list[int]) -> Figure:
  """Returns a figure with one row per frame: magnitude, three velocities in grey from -venc to venc, and the mask."""
  figure = Figure(figsize=(5 * _INCHES, len(frames) * _INCHES + 0.25), dpi=_DPI)
  axes = figure.subplots(len(frames), 5, squeeze=False)
  brightest = float(cine.video[frames, ..., cines.MAGNITUDE].max())
  for row, frame in zip(axes, frames, strict=True):
    row[0].imshow(cine.video[frame, ..., cines.MAGNITUDE], cmap='gray', vmin=0, vmax=0.85 * brightest)
    for axis, channel, venc in zip(row[1:4], (1, 2, 3), cine.venc or (), strict=True):
      axis.imshow(cine.video[frame, ..., channel], cmap='gray', vmin=-venc, vmax=venc)
    row[4].imshow(cine.mask[frame], cmap='gray', vmin=0, vmax=1)
    row[0].text(0.03, 0.95, f'{frame * cine.frame_interval:.0f} ms', color='w', fontsize=7, va='top',
                transform=row[0].transAxes)  # fmt: skip
  for axis, title in zip(axes[0], _TITLES, strict=True):
    axis.set_title(title, fontsize=8, pad=3)
  for axis in axes.flat:
    axis.set_axis_off()
  top = 1 - 0.25 / figure.get_figheight()
  figure.subplots_adjust(left=0, right=1, bottom=0, top=top, wspace=0.02, hspace=0.02)
  return figure


def window(cine: Cine, millimetres: float = 165.0) -> Cine:
  """Returns the square of that side about the middle of the mask, as far as the picture reaches."""
  size = min(round(millimetres / cine.spacing[0]), *cine.mask.shape[1:])
  rows, columns = (np.flatnonzero(cine.mask.any((0, other))) for other in (2, 1))
  top, left = (
    min(max((int(line[0]) + int(line[-1]) - size) // 2, 0), length - size)
    for line, length in zip((rows, columns), cine.mask.shape[1:], strict=True)
  )
  return cines.crop(cine, top, left, size, size)


def main() -> None:
  """Reads the command line and writes the picture."""
  cli.run(
    _write,
    flags.DEFINE_string('output', None, 'Picture to write (.png).', required=True),
    flags.DEFINE_integer('seed', 0, 'Cohort.'),
    flags.DEFINE_integer('slice', 12, 'Number of the slice in the plan of the paper-sized phantom.', lower_bound=0),
    flags.DEFINE_multi_integer('frame', [6, 18, 24, 44], 'Frames to show; repeat the flag for several.'),
  )


def _write(given: SimpleNamespace) -> None:
  slices = study.plan(study.PAPER, given.seed)
  if given.slice >= len(slices):
    raise UserError(f'--slice={given.slice}: the plan has {len(slices)} slices, numbered from 0')
  draw(window(study.render(slices[given.slice])), given.frame).savefig(given.output, pil_kwargs={'optimize': True})


if __name__ == '__main__':
  main()
