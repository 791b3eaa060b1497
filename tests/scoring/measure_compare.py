"""How often `compare` finds a planted difference of two groups, and how often it claims one where there is none.

`python tests/scoring/measure_compare.py PEOPLE.npz` prints the table of docs/results.md. The people are digital
phantoms by their exact curves (three slices, 50 frames), made once and kept in PEOPLE.npz (some minutes); cohorts of
12 against 12 are drawn from them. A difference is planted as a factor on a component's velocity at all levels, by which
its first peak (PS, or PC1) at mid level is smaller by one SD between people.
"""

import dataclasses
import pathlib
import sys

import numpy as np
import pandas as pd

from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import COMPONENTS
from ear_jax.phantom import study
from ear_jax.scoring import cohort, groups

PEOPLE, EACH, COHORTS, SHUFFLES, SEED = 120, 12, 100, 200, 20
LEVELS, FIRST = ('base', 'mid', 'apex'), {'longitudinal': 'PS', 'radial': 'PS', 'circumferential': 'PC1'}
FAMILIES = ('curves', 'velocities')


def people(path: pathlib.Path) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Curves and peaks of all people, made where the file is not there."""
  if not path.exists():
    size = dataclasses.replace(
      study.MINI, subjects=PEOPLE, slices=(PEOPLE,), frames=50, matrix=64, spacing=1.7, margin=0, offset=2.0
    )
    plans = study.plan(size, SEED)
    truths = [study.truth(plan) for plan in plans]
    curves = [np.stack([t.longitudinal, t.radial, t.circumferential], -1) for t in truths]
    cycles = [study.people(plan)[1].timing.rr for plan in plans]
    np.savez(path, curves=np.reshape(curves, (PEOPLE, 3, 50, 3)), rr=np.reshape(cycles, (PEOPLE, 3))[:, 0])
  made = np.load(path)
  rows = {f'{k:03d}': _of_person(c, 20 * rr) for k, (c, rr) in enumerate(zip(made['curves'], made['rr'], strict=True))}
  return tuple(cohort.table({name: row[k] for name, row in rows.items()}) for k in (0, 1))


def _of_person(curves, interval):
  values, markers = [], []
  for level, one in zip(LEVELS, curves - curves.mean(1, keepdims=True), strict=True):
    found = find_markers({'global': one[None]}, interval, 'CCW').assign(slice=level, level=level)
    markers.append(found.rename(columns={'velocity': 'velocity_cm_s', 'time': 'time_ms'}))
    for component, curve in zip(COMPONENTS, one.T, strict=True):
      place = {'slice': level, 'level': level, 'component': component}
      values.append(pd.DataFrame(place | {'frame': np.arange(50), 'velocity_cm_s': curve}))
  markers = pd.concat(markers)
  return cohort.level_curves(pd.concat(values), markers), cohort.level_peaks(markers)


def planted(table: pd.DataFrame, peaks: pd.DataFrame, components) -> pd.DataFrame:
  """The people with smaller velocities of some components."""
  factors = {}
  for component in components:
    first = peaks['mid', component, FIRST[component], 'velocity']
    factors[component] = 1 - first.std() / abs(first.mean())
  return table * [
    1.0 if key[-1] == 'time' else factors.get(key[1], 1.0) for key in cohort.keys(table)
  ]  # fmt: skip


def claims(curves, peaks, second, levels, components, permutations, seed) -> tuple[bool, bool]:
  """Whether a difference is claimed of curves, and of peaks."""
  chosen = [table.loc[:, [k[0] in levels and k[1] in components for k in cohort.keys(table)]]
            for table in (curves, peaks)]  # fmt: skip
  lines, _ = groups.compare_curves(chosen[0], second, families=FAMILIES, permutations=permutations, seed=seed)
  return bool(lines['claimed'].any()), bool(groups.compare_peaks(chosen[1], second, families=FAMILIES)['claimed'].any())


def main(path: pathlib.Path) -> None:
  """Prints what was found."""
  tables, rng, second = people(path), np.random.default_rng(SEED), np.arange(2 * EACH) >= EACH
  weak = {name: [planted(table, tables[1], chosen) for table in tables]
          for name, chosen in {'all components': COMPONENTS, 'longitudinal': COMPONENTS[:1]}.items()}  # fmt: skip

  def drawn(name):
    who = rng.permutation(PEOPLE)[: 2 * EACH]
    return [pd.concat([sound.iloc[who[:EACH]], other.iloc[who[EACH:]]]) for sound, other in
            zip(tables, weak[name], strict=True)]  # fmt: skip

  one = drawn('all components')
  false = [claims(*one, rng.permutation(second), LEVELS, COMPONENTS, 10_000, k) for k in range(20)]
  print(f'20 shuffles of one cohort: {sum(map(any, false))} with a claim', flush=True)
  false = [
    claims(*drawn('all components'), rng.permutation(second), LEVELS, COMPONENTS, 1000, k) for k in range(SHUFFLES)
  ]
  print(f'{SHUFFLES} shuffles of as many cohorts: {np.mean([any(f) for f in false]):.3f} with a claim', flush=True)
  print('| smaller by 1 SD | compared | curves | peaks | either |')
  for name in weak:
    for levels, components in ((LEVELS, COMPONENTS), (('mid',), COMPONENTS), (('mid',), COMPONENTS[:1])):
      found = np.array([claims(*drawn(name), second, levels, components, 1000, k) for k in range(COHORTS)])
      shares = ' | '.join(f'{share:.2f}' for share in (*found.mean(0), found.any(1).mean()))
      print(f'| {name} | {", ".join(levels)}; {", ".join(components)} | {shares} |', flush=True)


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
