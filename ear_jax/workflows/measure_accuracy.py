"""How exact the velocity analysis is: curves and peaks of phantoms with the true mask, against their analytic truth."""

import dataclasses

import numpy as np
from rich.progress import track

from ear_jax.analysis.markers import CIRCUMFERENTIAL_PEAKS, PEAKS, find_markers
from ear_jax.analysis.motion import COMPONENTS, Settings
from ear_jax.analysis.slices import analyse
from ear_jax.phantom import study
from ear_jax.scoring.intervals import t_interval
from ear_jax.system.table import Table, markdown
from ear_jax.system.terminal import progress_console

MATRIX = 192  # pixels; holds the heart with all that is near it, at a fifth of the work of 512
MEASURED = [(c, m) for c in COMPONENTS for m in (CIRCUMFERENTIAL_PEAKS if c == 'circumferential' else PEAKS)]


def measure(subjects: int, *, cohort: int = 1, size: study.Size = study.PAPER) -> dict:
  """Returns what the JSON file holds: 'exact' (RMS in cm/s), 'peaks' (errors in cm/s) and 'settings'.

  Args:
    subjects: how many.
    cohort: seed of the subjects.
    size: encoding, frames and grid of the scan; its subjects and slices are not used.
  """
  size = dataclasses.replace(
    size, name='accuracy', subjects=subjects, rescans=0, slices=(subjects,), matrix=min(size.matrix, MATRIX), offset=8.0
  )
  known = Settings(border=size.acquired / 2, view_sharing=size.sharing)
  sharp = dataclasses.replace(size, swirl=0.0, sharing=0.0, acquired=size.spacing)
  variants = {  # name: what is scanned, and analysed how
    'noise alone': (sharp, Settings()),
    'all artefacts': (size, Settings()),
    'scanner known': (size, known),
    'and no ghosts': (dataclasses.replace(size, swirl=0.0), known),
  }
  exact: dict[str, list[np.ndarray]] = {}
  errors: dict[str, list[np.ndarray]] = {name: [] for name in variants}
  slices = study.plan(size, cohort)
  for plan in track(slices, 'measuring', console=progress_console()):
    truth = study.truth(plan)
    curves = analyse(_exact(plan, truth), truth.mask, septum=truth.septal_angle).curves['global'][0]
    exact.setdefault(plan.level, []).append(np.sqrt(np.mean((curves - _true_curves(truth)) ** 2, 0)))
    if plan.level == 'mid':
      for name, (scanned, settings) in variants.items():
        scan = study.render(dataclasses.replace(plan, size=scanned))
        errors[name].append(_peak_errors(scan, truth, settings))
  return {
    'subjects': subjects,
    'cohort': cohort,
    'size': dataclasses.asdict(size),
    'settings': {name: dataclasses.asdict(settings) for name, (_, settings) in variants.items()},
    'exact_rms': {level: _worst_and_mean(rows) for level, rows in exact.items()},
    'peak_errors': {name: _describe(np.array(rows)) for name, rows in errors.items()},
  }


def to_markdown(results: dict) -> str:
  """Returns the tables of `measure` for a document."""
  rows = [
    [level, *(f'{entry[c]["mean"]:.4f} ({entry[c]["largest"]:.4f})' for c in COMPONENTS)]
    for level, entry in results['exact_rms'].items()
  ]
  text = 'RMS difference from the analytic curves, exact velocities, cm/s: mean (largest) over subjects.\n\n'
  text += _lines(['level', *COMPONENTS], rows)
  names, rows = list(results['peak_errors']), []
  for component, marker in MEASURED:
    key = f'{component} {marker}'
    entries = [results['peak_errors'][name][key] for name in names]
    cells = [f'{e["mean"]:+.2f} [{e["interval"][0]:+.2f}, {e["interval"][1]:+.2f}], {e["sd"]:.2f}' for e in entries]
    rows.append([key, f'{entries[0]["truth"]:+.1f}', *cells])
  text += f'\nPeak errors of a noisy mid slice, cm/s: mean [95 % interval], SD over {results["subjects"]} subjects.\n\n'
  return text + _lines(['peak', 'truth', *names], rows)


def _lines(header, rows):
  return markdown(Table('', header, rows), rule='|' + '---|' * len(header)) + '\n'


def _exact(plan, truth):
  """Returns a cine of the exact velocity inside the wall, quantised as 12-bit phase, 0 outside."""
  step = np.array(plan.size.venc) / 2048
  video = np.concatenate([np.ones((*truth.mask.shape, 1)), np.rint(truth.velocity / step) * step], -1)
  return study.cine(plan, video.astype(np.float32), truth.mask)


def _true_curves(truth):
  curves = np.stack([truth.longitudinal, truth.radial, truth.circumferential], -1)
  return curves - curves.mean(0)


def _peak_errors(scan, truth, settings):
  """Returns `[2, peaks]`: measured minus true velocity, and the true one, of the peaks in `MEASURED`."""
  analysed = analyse(scan, truth.mask, septum=truth.septal_angle, settings=settings).markers
  expected = find_markers({'global': _true_curves(truth)[None]}, scan.frame_interval, settings.orientation)
  measured, true = (_velocities(table) for table in (analysed, expected))
  return measured - true, true


def _velocities(markers):
  whole = markers[markers['group'] == 'global'].set_index(['component', 'marker'])['velocity']
  return np.array([whole[key] for key in MEASURED])


def _describe(rows):
  """Returns what `peak_errors` says of errors and true velocities `[subjects, 2, peaks]`."""
  summary = {}
  for k, (component, marker) in enumerate(MEASURED):
    error = rows[:, 0, k]
    summary[f'{component} {marker}'] = {
      'mean': float(error.mean()),
      'interval': t_interval(error),
      'sd': float(error.std(ddof=1)),
      'truth': float(rows[:, 1, k].mean()),
    }
  return summary


def _worst_and_mean(rows):
  rows = np.array(rows)
  return {c: {'mean': float(r.mean()), 'largest': float(r.max())} for c, r in zip(COMPONENTS, rows.T, strict=True)}
