"""How much of a network's Dice is lost when a patient's frames are stored, sampled or shown in another way?

    SUNNYBROOK_DIR=... python tests/networks/measure_robustness.py FOLD_RUN [FOLD_RUN ...]

Each run is a fold of `configs/sunnybrook_folds.py` or `ear3d_sunnybrook.py`: its validation patients are delineated as
`predict` does it, frame by frame at end diastole, as stored and under each change. The frames have lost their pixel
size: 1.3 mm is stated, so that a change of it is stated too. No file says how they lie: that is recognised.
"""

import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator

import numpy as np
from scipy import ndimage

from ear_jax.cine import Cine
from ear_jax.data.upright import TURNS, turned
from ear_jax.formats.sunnybrook import read_frames
from ear_jax.networks.load import load_network
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import Network, segment

_STATED = 1.3  # mm, about what the patients have
Change = Callable[[Cine], Cine]


def main() -> None:
  """Prints the mean Dice over patients of each change, and what it loses against the frames as stored."""
  folder = pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'frames'
  cines = [cine.replace(spacing=(_STATED, _STATED)) for cine in read_frames(folder) if cine.mask.any()]
  scores: dict[str, list[float]] = {name: [] for name in changes()}
  for run in map(pathlib.Path, sys.argv[1:]):
    network = load_network(run)
    for subject in json.loads((run / 'split.json').read_text())['validation']:
      patient = [cine for cine in cines if cine.subject == subject]
      for name, change in changes().items():
        scores[name].append(float(np.mean(list(dices([change(cine) for cine in patient], network)))))
      print(subject, {name: round(values[-1], 3) for name, values in scores.items()}, flush=True)
  for name, values in scores.items():
    lost = np.subtract(scores['as stored'], values)
    print(f'| {name} | {np.mean(values):.3f} | {lost.mean():.3f} | {lost.max():.3f} |')


def changes() -> dict[str, Change]:
  """What is done to a frame and its reference, by name."""
  named: dict[str, Change] = {'as stored': lambda cine: cine}
  for turn in TURNS[1:]:
    named[f'{"mirrored, " * turn.mirrored}turned {90 * turn.quarters}'] = lambda cine, turn=turn: turned(cine, turn)
  for size in (0.7, 1.4):
    named[f'pixels x {size}'] = lambda cine, size=size: resampled(cine, size)
  for power in (0.5, 2.0):
    named[f'gamma {power}'] = lambda cine, power=power: with_gamma(cine, power)
  return named


def resampled(cine: Cine, size: float) -> Cine:
  """The same frame with pixels that are `size` times as large, what is finer smoothed away first."""
  blur = (0, max(size - 1, 0) / 2, max(size - 1, 0) / 2)
  video = ndimage.zoom(ndimage.gaussian_filter(cine.video, (*blur, 0)), (1, 1 / size, 1 / size, 1), order=1)
  mask = ndimage.zoom(cine.mask.astype(np.float32), (1, 1 / size, 1 / size), order=1) > 0.5
  spacing = tuple(_STATED * old / new for old, new in zip(cine.mask.shape[1:], mask.shape[1:], strict=True))
  return cine.replace(video=video, mask=mask.astype(np.uint8), spacing=spacing)


def with_gamma(cine: Cine, power: float) -> Cine:
  """The same frame with its grey values raised to a power."""
  return cine.replace(video=cine.video.max() * (cine.video / cine.video.max()) ** power)


def dices(patient: list[Cine], network: Network) -> Iterator[float]:
  """Dice of each frame of a patient, delineated as a study."""
  axes, _ = recognise(patient.__getitem__, len(patient), network)
  for cine in patient:
    found, true = segment(cine, [network], axes=axes).mask > 0, cine.mask > 0
    yield 2 * (found & true).sum() / (found.sum() + true.sum())


if __name__ == '__main__':
  main()
