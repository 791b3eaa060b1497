"""How many gestures does a study take? Twelve phantom studies with the shipped network, corrected by a script.

`PYTHONPATH=. python tests/editor/measure_corrections.py [STUDIES]` prints the table of docs/results.md. The script does
what a reader does who knows the truth: it goes to the frame that the page names as most suspicious of those that lie
off, draws both contours there, and sees the others follow. It stops when the mean Dice of the study is 0.97, or after
12 gestures. Seconds are the server's processor time for all gestures of a study: what a person needs to see and to draw
comes on top, and what the browser needs.
"""

import os

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')  # as ear_jax.edit does

import pathlib
import sys
import tempfile
import time

import numpy as np
from editing import dice, exact, gesture

from ear_jax.analysis import septum
from ear_jax.analysis.contours import from_mask
from ear_jax.analysis.motion import Settings
from ear_jax.editor.follow import Base
from ear_jax.editor.slice import Slice
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import segment
from ear_jax.phantom import study

SIZE, SEED = study.SIZES['mini'], 0  # people that the network was not trained on
ENOUGH, MOST, OFF = 0.97, 12, 0.96


def corrected(subject, network, folder):
  """Dice before and after of all frames, gestures, and the server's seconds of processor for them."""
  plans = study.first_visit(SIZE, seed=SEED, subject=subject)
  cines, truths = [study.render(plan) for plan in plans], [exact(study.truth(plan)) for plan in plans]
  slices = [
    Slice(
      cine,
      Base(from_mask(segment(cine, [network]).probability), made='network'),
      septum.find(None, None, None),
      Settings(),
      folder / f'{subject}-{number}.jsonl',
    )
    for number, cine in enumerate(cines)
  ]

  def found():
    return np.stack([dice(s.view().followed.contours, c.mask) for s, c in zip(slices, cines, strict=True)])

  before = after = found()
  gestures, seconds = 0, 0.0
  while after.mean() < ENOUGH and gestures < MOST:
    suspicion = np.array([[frame['suspicion'] for frame in s.state()['frames']] for s in slices])
    off = (after < OFF) & (suspicion > 0)
    if not off.any():
      break
    number, frame = np.unravel_index(np.where(off, suspicion, -1).argmax(), off.shape)
    begun = time.process_time()
    slices[number].edit(slices[number].version, gesture(truths[number], [frame]))
    seconds += time.process_time() - begun
    gestures, after = gestures + 1, found()
  return before, after, gestures, seconds


def main():
  network = load_network('ear3d-phantom')
  rows = []
  print(
    '| person | Dice before, worst frame | gestures | Dice after, worst frame | s of processor |\n|---|---|---|---|---|'
  )
  with tempfile.TemporaryDirectory() as folder:
    for subject in range(1, 1 + int(sys.argv[1] if len(sys.argv) > 1 else 12)):
      before, after, gestures, seconds = corrected(subject, network, pathlib.Path(folder))
      rows.append((before.mean(), before.min(), gestures, after.mean(), after.min(), seconds))
      print(
        f'| {subject} | {before.mean():.3f}, {before.min():.2f} | {gestures} | {after.mean():.3f}, {after.min():.2f} | '
        f'{seconds:.2f} |',
        flush=True,
      )
  mean = np.mean(rows, 0)
  print(f'| mean | {mean[0]:.3f}, {mean[1]:.2f} | {mean[2]:.1f} | {mean[3]:.3f}, {mean[4]:.2f} | {mean[5]:.2f} |')


if __name__ == '__main__':
  main()
