"""Draws `carried.png`, the worst frames of contours carried from frame 0: `python docs/images/carried.py`.

Of two people of another generator, by velocity and by pictures alone, and of a pig's cine (PIG_DIR): the frame with the
least Dice of each slice, yellow what is known, blue what was carried.
"""

import os
import pathlib
import sys

import matplotlib
import numpy as np

from ear_jax.analysis.carrying import carry
from ear_jax.analysis.contours import from_mask

matplotlib.use('Agg')
import matplotlib.pyplot as plt

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / 'tests/phantom'))
MARGIN = 8  # pixels about the heart


def worst(cine):
  """Returns the frame with the least Dice, its Dice and the carried contours."""
  found = carry(cine, cine.mask, [0])
  both = (found.mask & cine.mask).sum((1, 2))
  dice = 2 * both / np.maximum(found.mask.sum((1, 2)) + cine.mask.sum((1, 2)), 1)
  return int(dice.argmin()), float(dice.min()), found.contours


def draw(axis, cine, title):
  """Draws the worst frame of a slice."""
  frame, dice, contours = worst(cine)
  known = from_mask(cine.mask)
  low, high = known.epi[frame].min(0) - MARGIN, known.epi[frame].max(0) + MARGIN
  axis.imshow(cine.video[frame, ..., 0], cmap='gray', vmax=np.percentile(cine.video[..., 0], 99))
  for one, colour in ((known, 'gold'), (contours, 'deepskyblue')):
    for side in (one.endo, one.epi):
      axis.plot(*np.vstack([side[frame], side[frame, :1]]).T[::-1], colour, lw=1)
  axis.set(xlim=(low[1], high[1]), ylim=(high[0], low[0]))
  axis.set_title(f'{title}\nframe {frame}: {dice:.2f}', fontsize=8)
  axis.axis('off')


def main():
  """Writes the picture."""
  from strangers import strangers

  cines = [one.cine for one in strangers(2, frames=50)]
  rows = [
    [(cine, f'{cine.level}, velocity') for cine in cines],
    [(cine.replace(video=cine.video[..., :1], venc=None), f'{cine.level}, pictures') for cine in cines],
  ]
  if root := os.environ.get('PIG_DIR'):
    from ear_jax.formats import references
    from ear_jax.formats.open import open_studies

    (pig,), _ = references.attach(open_studies(root), references.find(pathlib.Path(root)).drawn)
    rows.append([(cine, f'pig, {cine.slice_id}') for cine, _ in pig.read()][:9:2])
  figure, axes = plt.subplots(len(rows), 6, figsize=(9, 1.8 * len(rows)), layout='constrained')
  for axis in axes.ravel():
    axis.axis('off')
  for line, row in zip(axes, rows, strict=True):
    for axis, (cine, title) in zip(line, row, strict=False):
      draw(axis, cine, title)
  figure.savefig(HERE / 'carried.png', dpi=110)


if __name__ == '__main__':
  main()
