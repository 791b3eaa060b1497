"""How networks delineate velocity studies of another generator than ours, and what the gate says of them.

    python tests/phantom/measure_strangers.py ear3d-magnitude,ear3d-velocity [SEED]

12 people x 3 slices x 50 frames (`strangers`); nothing was trained or chosen on them. Prints a line a slice: Dice, what
the gate expects, its verdict, and the RMS error of the three curves of the whole wall (cm/s); then means. Four minutes
on one core a network.
"""

import sys

import numpy as np
from strangers import strangers

from ear_jax.analysis.checks_of_study import check_slice, worst
from ear_jax.analysis.expected_dice import expected_dice
from ear_jax.analysis.slices import analyse
from ear_jax.networks.load import load_network
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import segment

PEOPLE, SLICES = 12, 3


def main() -> None:
  """Measures the networks that are named, together."""
  networks = [load_network(name) for name in sys.argv[1].split(',')]
  every, rows = list(strangers(PEOPLE, frames=50, seed=int((*sys.argv, 0)[2]))), []
  for person in range(PEOPLE):
    slices = every[SLICES * person : SLICES * (person + 1)]
    axes, _ = recognise(lambda k, of=slices: of[k].cine, SLICES, networks[0])
    for one in slices:
      rows.append((person, *_measured(one, networks, axes)))
      print(person, one.cine.level, *rows[-1][1:], flush=True)
  people = [np.mean([row[1] for row in rows if row[0] == person]) for person in range(PEOPLE)]
  print(f'Dice over people: {np.mean(people):.3f} +- {np.std(people, ddof=1):.3f}')
  for verdict in ('pass', 'warn', 'fail'):
    of = [row for row in rows if row[3] == verdict]
    if of:
      dice, errors = min(row[1] for row in of), max(row[4] for row in of)
      print(f'{verdict}: {len(of)} slices, Dice {dice:.3f} and more, curves within {errors:.2f} cm/s RMS')


def _measured(one, networks, axes) -> tuple[float, float, str, float]:
  """Dice, expected Dice, verdict, and the largest of the RMS errors of three curves."""
  cine = one.cine
  found = segment(cine, networks, axes=axes)
  mask, truth = found.probability > 0.5, cine.mask > 0
  motion = analyse(cine, found.probability)
  expected = expected_dice(cine, motion.contours)
  true = (one.curves - one.curves.mean(1, keepdims=True)).T  # [T, 3]
  errors = np.sqrt(np.nanmean((motion.curves['global'][0] - true) ** 2, axis=0))
  dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
  return (
    round(float(dice), 3),
    round(float(expected.dice), 3),
    worst(check_slice(cine, motion, expected)),
    round(float(errors.max()), 3),
  )


if __name__ == '__main__':
  main()
