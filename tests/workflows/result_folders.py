"""Folders of results as `predict` writes them, of people whose curves are known."""

import dataclasses
import json

import numpy as np
import pandas as pd

from ear_jax.analysis.markers import find_markers
from ear_jax.analysis.motion import COMPONENTS, KINDS, Settings

FRAMES = 20


def curve(strength):
  """Global curves `[T, 3]` cm/s of a beat: out, back, and the atrium's share."""
  at = np.arange(FRAMES) / FRAMES
  waves = [8 * np.exp(-(((at - where) / 0.06) ** 2)) * size for where, size in ((0.15, 1), (0.5, -1.5), (0.85, -0.6))]
  return strength * sum(waves)[:, None] * np.array([1.0, 0.4, 0.2])


def strain(strength, k):
  """Radial, circumferential, longitudinal and shear strain `[T, 4]` in % of slice k, 0 at frame 0."""
  beat = np.sin(np.pi * np.arange(FRAMES) / FRAMES)[:, None] ** 2
  return (strength - 0.1 * k) * beat * np.array([45.0, -18.0, -17.0, 2.0])


def write(
  folder, study, strength=1.0, *, verdict='pass', levels=('base', 'mid'), interval=40.0, failed=(), sector=None,
  **settings,
):  # fmt: skip
  """Writes one study; `failed` are frames without contours, `settings` what differs from the usual ones.

  With `sector` there are sectors and strains, too: sector AS has that strength in place of the wall's.
  """
  folder = folder / study
  folder.mkdir(parents=True)
  curves, markers, slices, strains = [], [], [], []
  for k, level in enumerate(levels):
    values = curve(strength * (1 - 0.3 * k))
    values[list(failed)] = np.nan
    place = {'slice': f'sax{k}', 'level': level}
    whole = place | {'group': 'global', 'region_name': 'global'}
    for c, component in enumerate(COMPONENTS):
      known = {'frame': np.arange(FRAMES), 'time_ms': np.arange(FRAMES) * interval, 'velocity_cm_s': values[:, c]}
      curves.append(pd.DataFrame(whole | {'component': component} | known))
    names = {'velocity': 'velocity_cm_s', 'time': 'time_ms'}
    markers.append(find_markers({'global': values[None]}, interval, 'CCW').rename(columns=names).assign(**place))
    step = None if np.isnan(interval) else interval
    slices.append(place | {'frames': FRAMES, 'frame_interval_ms': step, 'holds_ventricle': True, 'expected_dice': 0.9})
    if sector is not None:
      parts = whole | {'group': 'angular6', 'region_name': 'AS'}, sector * (1 - 0.3 * k)
      curves += [curves[-3 + c].assign(**parts[0], velocity_cm_s=curve(parts[1])[:, c]) for c in range(3)]
      strains += [
        pd.DataFrame(whole | {'kind': kind, 'frame': np.arange(FRAMES), 'strain_percent': strain(strength, k)[:, i]})
        for i, kind in enumerate(KINDS)
      ]
  if strains:
    pd.concat(strains).to_csv(folder / 'strain.csv', index=False)
  pd.concat(curves).to_csv(folder / 'curves.csv', index=False)
  pd.concat(markers).to_csv(folder / 'markers.csv', index=False)
  checks = [{'name': 'noise', 'slice_id': 'sax0', 'status': verdict, 'reason': 'level of noise'}]
  summary = {'study': study, 'verdict': verdict, 'curves_withheld': False, 'slices': slices, 'checks': checks}
  summary['settings'] = dataclasses.asdict(dataclasses.replace(Settings(), **settings))
  summary['versions'] = {'ear_jax': '1', 'jax': '1', 'network 1': 'net'}
  (folder / 'summary.json').write_text(json.dumps(summary))
  return folder


def withhold(folder):
  """Takes the curves of a study away, as the gate does."""
  for name in ('curves.csv', 'markers.csv'):
    (folder / name).unlink()
  summary = json.loads((folder / 'summary.json').read_text())
  (folder / 'summary.json').write_text(json.dumps(summary | {'curves_withheld': True, 'verdict': 'fail'}))
