"""Draws twelve varied phantoms, one slice and one frame each, as a reader would window them.

`python docs/images/varied.py --output docs/images/varied.png`
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
from absl import flags
from matplotlib.figure import Figure

import ear_jax.cine as cines
from ear_jax.phantom import study
from ear_jax.system import cli

_COLUMNS, _ROWS, _INCHES, _DPI = 4, 3, 2.1, 100
_COUNT = _COLUMNS * _ROWS
_FRAMES = 4  # at rest, in systole, in diastole twice; looks do not depend on how many there are
_BRIGHTEST = 99.3  # percentile of the picture that is white


def draw(seed: int, *, contours: bool) -> Figure:
  """Returns a figure of the first twelve people of a cohort: another level and moment each, with the wall's outline."""
  size = dataclasses.replace(
    study.VARIED, subjects=_COUNT, slices=(_COUNT,), frames=_FRAMES, matrix=192, spacings=(1.2, 1.7)
  )
  plans = study.plan(size, seed)
  figure = Figure(figsize=(_COLUMNS * _INCHES, _ROWS * _INCHES), dpi=_DPI)
  for k, axis in enumerate(figure.subplots(_ROWS, _COLUMNS).flat):
    cine = study.render(plans[3 * k + k % 3])
    magnitude, mask = cine.video[k % _FRAMES, ..., cines.MAGNITUDE], cine.mask[k % _FRAMES]
    axis.imshow(magnitude, cmap='gray', vmin=0, vmax=np.percentile(magnitude, _BRIGHTEST))
    if contours:
      axis.contour(mask, [0.5], colors='tab:orange', linewidths=0.7)
    axis.set_axis_off()
  figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.02, hspace=0.02)
  return figure


def main() -> None:
  """Reads the command line and writes the picture."""
  cli.run(
    _write,
    flags.DEFINE_string('output', None, 'Picture to write (.png).', required=True),
    flags.DEFINE_integer('seed', 7, 'Cohort; 7 is that of `phantom_crowd`.'),
    flags.DEFINE_bool('contours', False, "The wall's exact borders too."),
  )


def _write(given: SimpleNamespace) -> None:
  draw(given.seed, contours=given.contours).savefig(given.output, pil_kwargs={'optimize': True})


if __name__ == '__main__':
  main()
