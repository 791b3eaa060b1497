"""Draws `few_contours.png`, Dice by frame and by annotated frames a slice: `python docs/images/few_contours.py`.

The numbers are those of `docs/results.md`: six people of `phantom_mini` who were not trained on (fold 0), 160 steps.
"""

import pathlib

from matplotlib.figure import Figure

FRAMES = {
  'all annotated': [0.82, 0.82, 0.85, 0.87, 0.88, 0.87, 0.86, 0.85, 0.85, 0.84, 0.85, 0.85, 0.85, 0.84, 0.84, 0.82],
  'one, carried': [0.82, 0.81, 0.84, 0.85, 0.85, 0.84, 0.83, 0.83, 0.84, 0.82, 0.83, 0.84, 0.84, 0.84, 0.84, 0.82],
  'one alone': [0.84, 0.66, 0.34, 0.44, 0.43, 0.33, 0.20, 0.19, 0.31, 0.48, 0.52, 0.48, 0.18, 0.14, 0.25, 0.61],
}
ALONE = {1: (0.400, 0.063), 4: (0.669, 0.065), 16: (0.847, 0.044)}  # annotated frames: mean and SD over the same people
CARRIED = {1: (0.835, 0.044), 16: (0.847, 0.044)}
COLOURS = {'all annotated': '#000000', 'one, carried': '#0072b2', 'one alone': '#d55e00'}

figure = Figure(figsize=(8, 3), layout='constrained', dpi=110)
cycle, curve = figure.subplots(1, 2, sharey=True)
for name, values in FRAMES.items():
  cycle.plot(values, 'o-', color=COLOURS[name], label=name, markersize=3)
cycle.set(xlabel='frame of the cycle', ylabel='Dice', ylim=(0, 1), xticks=range(0, 16, 3))
cycle.legend(frameon=False, loc=(0.45, 0.52))
parts = (('those alone', ALONE, 'one alone', 'o-'), ('carried to the others', CARRIED, 'one, carried', 's--'))
for label, points, name, line in parts:
  mean, spread = zip(*points.values(), strict=True)
  curve.errorbar(list(points), mean, spread, fmt=line, color=COLOURS[name], label=label, capsize=3)
curve.set(xlabel='annotated frames of 16', xscale='log', xticks=[1, 2, 4, 8, 16], xticklabels=[1, 2, 4, 8, 16])
curve.minorticks_off()
curve.legend(frameon=False, loc='lower right')
figure.savefig(pathlib.Path(__file__).with_suffix('.png'))
