"""Holds `analysis.carrying` against what it was not chosen on: `python tests/analysis/measure_carrying.py`.

People of `phantom_other` and `phantom_crowd` at 50 frames and of another generator (`tests/phantom/strangers.py`), each
with the contours of one or three frames given, as velocity mapping and as magnitude alone, and with the contours of the
shipped network `ear3d-phantom` mixed in (`--networks`); a pig's cine where PIG_DIR names it. Prints the table of
docs/results.md: Dice against the exact masks over all frames that were not given, mean over slices, of the worst slice,
and of the worst frame; processor seconds a slice; the error of the radius, and what `carry` says that it is.
`--people=N` takes N people of each set, `--only=NAME` (or several, with commas) that set, `--picture=FILE` draws the
worst frame of every line.
"""

import dataclasses
import os
import pathlib
import sys
import time
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from ear_jax.analysis.carrying import carry, radii
from ear_jax.analysis.contours import from_mask, to_mask
from ear_jax.cine import Cine
from ear_jax.phantom import study
from ear_jax.system.table import Table, markdown

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'phantom'))
Worst = tuple[float, str, Cine, np.ndarray, int]  # Dice, whose line, cine, carried mask, frame
HEADER = ['contours', 'slices', 'mean', 'worst slice', 'worst frame', 's a slice', 'error mm', 'said mm']


def sets(people: int, only: str) -> Iterator[tuple[str, list[Cine]]]:
  """Yields the name and cines of each set, or of the one that is asked for."""
  from strangers import strangers

  for name, size, seed in (('phantom_other', study.MINI, 1), ('crowd', study.CROWD, 3)):
    if not only or name in only.split(','):
      longer = dataclasses.replace(size, frames=50, sharing=0.1)
      yield name, [study.render(plan) for plan in study.plan(longer, seed) if plan.subject_index < people]
  if not only or 'strangers' in only.split(','):
    yield 'strangers', [one.cine for one in strangers(people, frames=50)]
  if (not only or 'pig' in only.split(',')) and (root := os.environ.get('PIG_DIR')):
    from ear_jax.formats import references
    from ear_jax.formats.open import open_studies

    (pig,), _ = references.attach(open_studies(root), references.find(pathlib.Path(root)).drawn)
    yield 'pig', [cine for cine, _ in pig.read()]


def dice(one: np.ndarray, other: np.ndarray) -> np.ndarray:
  """Returns `[T]` of two masks `[T, H, W]`."""
  return 2 * (one & other).sum((1, 2)) / np.maximum(one.sum((1, 2)) + other.sum((1, 2)), 1)


def line(
  name: str, cines: list[Cine], count: int, networks: list | None = None, worst: list[Worst] | None = None
) -> list[str]:
  """Returns a line of the table, for `count` given frames at equal distances from frame 0 on; 0: the network alone.

  The worst frame goes into `worst`.
  """
  rows, seen = [], []
  for k, cine in enumerate(cines):
    start, frames = time.process_time(), len(cine.video)
    keys, other = [round(i * frames / max(count, 1)) for i in range(count)], networks and networks[k]
    rest = np.delete(np.arange(frames), keys)
    if not count:
      rows.append((dice(to_mask(other, cine.mask.shape[1:]), cine.mask), np.nan, np.nan, np.nan))
      continue
    found = carry(cine, cine.mask, keys, network=other)
    seconds = time.process_time() - start
    each = dice(found.mask, cine.mask)
    low = rest[np.argmin(each[rest])]
    seen.append((each[low], name, cine, found.mask, low))
    rows.append((each[rest], seconds, _error(found.contours, cine, rest), found.uncertainty[rest]))
  if worst is not None and seen:
    worst.append(min(seen, key=lambda one: one[0]))
  means = [row[0].mean() for row in rows]
  error, said = (np.sqrt(np.mean([np.mean(np.square(row[k])) for row in rows])) for k in (2, 3))
  numbers = [np.mean(means), min(means), min(row[0].min() for row in rows)]
  rest = [np.mean([row[1] for row in rows]), error, said]
  return [name, str(len(rows)), *(f'{n:.3f}' for n in numbers), *('' if np.isnan(n) else f'{n:.2f}' for n in rest)]


def _error(contours, cine, rest):
  """Distances of radii from those of the exact masks, mm."""
  true = from_mask(cine.mask)
  centre = true.epi.mean(1)
  one, other = (radii(np.stack([c.endo, c.epi], 1), centre) for c in (contours, true))
  return (one - other)[rest] * np.mean(cine.spacing)


def draw(path: str, worst: list[Worst]) -> None:
  """Draws the worst frame of every line: carried contours solid, exact ones dashed."""
  figure = Figure(figsize=(2.1 * len(worst), 2.7), layout='constrained')
  panels = np.atleast_1d(figure.subplots(1, len(worst)))
  for axis, (value, name, cine, mask, t) in zip(panels, worst, strict=True):
    rows, columns = (np.flatnonzero(cine.mask.any((0, other))) for other in (2, 1))
    window = slice(max(rows[0] - 8, 0), rows[-1] + 9), slice(max(columns[0] - 8, 0), columns[-1] + 9)
    axis.imshow(cine.video[t, ..., 0][window], cmap='gray')
    axis.contour(cine.mask[t][window], [0.5], colors='#E69F00', linestyles='dashed', linewidths=1)
    axis.contour(mask[t][window], [0.5], colors='#56B4E9', linewidths=1)
    axis.set_title(f'{name}\nframe {t}, Dice {value:.2f}', fontsize=8)
    axis.set_axis_off()
  figure.savefig(path, dpi=110, metadata={'Software': None})


def main() -> None:
  """Prints a table for each set."""
  every: list[Worst] = []
  asked = dict(word.removeprefix('--').split('=') for word in sys.argv[1:] if '=' in word)
  for name, cines in sets(int(asked.get('people', 12)), asked.get('only', '')):
    plain = [cine.replace(video=cine.video[..., :1], venc=None) for cine in cines]
    lines: list[list[str]] = []
    worst: list[Worst] = []
    if cines[0].venc is not None:
      lines += [line(f'{n} given, velocity', cines, n, worst=worst) for n in (1, 3)]
    lines += [line(f'{n} given, pictures', plain, n, worst=worst) for n in (1, 3)]
    if '--networks' in sys.argv and cines[0].venc is not None:
      from ear_jax.networks.load import load_network

      network = load_network('ear3d-phantom')
      found = [from_mask(network.segment(cine).probability) for cine in cines]
      lines += [line('network alone', cines, 0, found)]
      lines += [line(f'{n} given, velocity, network', cines, n, found) for n in (1, 3)]
    every += [(value, f'{name}\n{given}', *rest) for value, given, *rest in worst]
    print(f'\n{name}\n\n{markdown(Table("", HEADER, lines), rule="|" + "---|" * len(HEADER))}', flush=True)
  if 'picture' in asked:
    draw(asked['picture'], every)


if __name__ == '__main__':
  main()
