"""Grids for tests, made by hand."""

from configs import ablation, ear3d
from ear_jax.ablations.grid import cells, jobs


def make_grid(**changes):
  """The shipped grid with other fields."""
  found = ablation.get_config()
  for name, value in changes.items():
    found[name] = value
  return found


def planned(**changes):
  """A grid, its cells and its jobs on top of `ear3d.py`."""
  chosen = make_grid(**changes)
  return chosen, cells(chosen), jobs(chosen, ear3d.get_config())


def result(job, subjects, **changes):
  """The result of a job with metrics of some subjects, `{subject: {'dice': ...}}`."""
  counted = {'expected': len(subjects), 'failed': 0}
  return {
    'name': job.name,
    'cell': job.cell,
    'seed': job.seed,
    'fold': job.fold,
    'cost': {'minutes': 2.0, 'peak_memory_gb': 1.5, 'gpu_memory_gb': None},
    'steps': [job.config['steps']],
    'subjects': [{'subject': subject, **metrics} for subject, metrics in subjects.items()],
    'curves': counted,
    'distance_unit': 'mm',
    'data_hash': 'abc',
    'parameters': 1000,
    'seconds_per_step': 0.5,
    'training_minutes': 1.0,
    'devices': ['cpu'],
  } | changes
