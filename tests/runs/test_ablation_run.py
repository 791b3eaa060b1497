"""A grid from its command line: killed in the middle and run again, and with jobs that fail."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import command_line
import jax
import numpy as np
import pandas as pd
import pytest

from ear_jax.ablations.job import averaged
from ear_jax.data.data_set import open_data_set
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.networks.inference import make_predictor, myocardium, to_mask
from ear_jax.networks.load import load_run, restore_state
from ear_jax.scoring.segmentation import score
from ear_jax.system.lock import is_held, only_writer
from ear_jax.training.log import read_metrics

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

GRID = """
from configs import ablation

def get_config():
  config = ablation.get_config()
  config.base = {base!r}
  config.changes = {changes!r}
  config.grid = {{'data': {{'shift': (2,)}}}}  # one program for all, compiled once
  config.columns = ''
  config.seeds = (0, 1)
  config.together = True
  config.folds = 2
  config.launcher.at_once = 2
  return config
"""


@pytest.fixture
def grid(config_file, tmp_path):
  """Returns `make(**changes)`: the command's arguments for two seeds and two folds, and the working directory."""

  def make(**changes):
    path, workdir = tmp_path / 'grid.py', tmp_path / 'workdir'
    path.write_text(GRID.format(base=str(config_file), changes={'model': {'name': 'unet3d'}} | changes))
    return ['--config', path, '--workdir', workdir], workdir

  return make


def _results(workdir):
  return {path.parent.name: path for path in (workdir / 'jobs').glob('*/result.json')}


def _starts(job):
  return len(list((job / 'log').glob('*_submitted.pkl')))


def _wait(come, process, what):
  deadline = time.monotonic() + 600
  while not (found := come()):
    assert process.poll() is None, f'the command ended before {what}'
    assert time.monotonic() < deadline, f'{what} never came'
    time.sleep(0.002)
  return found


def _trained_not_scored(workdir):
  """Jobs with a checkpoint and without a result."""
  folders = [path.parents[2] for path in (workdir / 'jobs').glob('*-fold*/run/checkpoints/7')]
  return [folder for folder in folders if not (folder / 'result.json').exists()]


def test_a_grid_killed_in_the_middle_is_completed_and_nothing_is_done_twice(grid, tmp_path):
  args, workdir = grid()
  # Its jobs outlive it and keep what it was given to write to: a pipe would never be closed.
  with (tmp_path / 'said').open('w') as said:
    command = [sys.executable, '-m', 'ear_jax.ablation', *map(str, args)]
    process = subprocess.Popen(command, cwd=command_line.ROOT, stdout=said, stderr=said)
  try:
    _wait(lambda: _results(workdir), process, 'the first result')
    victim = _wait(lambda: _trained_not_scored(workdir), process, 'a checkpoint of the next job')[0]
  finally:
    process.kill()  # the command, and one of its jobs; another job lives on
    process.wait()
  os.kill(int((victim / '.lock').read_text().split()[1]), signal.SIGKILL)
  assert victim.name not in _results(workdir), 'it was killed too late'
  done = {name: path.stat().st_mtime_ns for name, path in _results(workdir).items()}
  starts = {path.name: _starts(path) for path in (workdir / 'jobs').iterdir()}

  outcome = command_line.run('ear_jax.ablation', *args, '--output', tmp_path / 'docs')

  assert outcome.status == 0, outcome.stderr
  jobs = sorted((workdir / 'jobs').iterdir())
  assert sorted(path.name.rsplit('-', 1)[0] for path in jobs) == [
    f'shift=2-{networks}-{part}'
    for networks in ('seed0', 'seed1', 'together-seed0')
    for part in ('fold0', 'fold1', 'test')
  ]
  assert _starts(victim) == 2
  assert 'resuming at step' in max((victim / 'log').glob('*.out'), key=lambda p: p.stat().st_mtime).read_text()
  for job in jobs:
    assert (job / 'result.json').exists()
    assert not is_held(job)
    if job != victim:
      assert _starts(job) == 1, f'{job.name} was started {starts.get(job.name, 0)} times before the kill'
    if job.name in done:
      assert (job / 'result.json').stat().st_mtime_ns == done[job.name]
    if 'fold' in job.name and 'together' not in job.name:
      assert [line['step'] for line in read_metrics(job / 'run') if 'loss' in line] == list(range(1, 21))
  _check_table(workdir)
  _check_published(workdir, tmp_path / 'docs')
  _check_ensemble(workdir, 'seed0-fold*', 'seed0-test-*', 'test')
  _check_ensemble(workdir, 'seed*-fold1*', 'together-seed0-fold1-*', 'validation')


def _check_published(workdir, folder):
  files = [path.relative_to(folder) for path in folder.rglob('*') if path.is_file()]
  assert 'ablation.md' in map(str, files)
  assert {str(path) for path in files if path.suffix == '.png'} == set(
    re.findall(r'\]\((.*?)\)', (folder / 'ablation.md').read_text())
  )
  assert all((folder / path).read_bytes() == (workdir / path).read_bytes() for path in files)


def _check_table(workdir):
  """Table 1 against the scores of frames: frame (of both seeds) to slice to dataset to subject, then over subjects."""
  frames = pd.concat(pd.read_csv(path) for path in (workdir / 'jobs').glob('shift=2-seed*-fold*/frames.csv'))
  assert frames['subject'].nunique() == 4
  subjects = frames.groupby(['subject', 'dataset', 'slice_id'])['dice'].mean()
  subjects = subjects.groupby(['subject', 'dataset']).mean().groupby('subject').mean()
  table = pd.read_csv(workdir / 'tables/cross-validation_table1.csv', index_col=0)
  assert table.loc['shift 2, one network'].tolist() == [f'{subjects.mean():.2f} ± {subjects.std():.2f}']


def _check_ensemble(workdir, members, result, part):
  """The result of some networks together against their probabilities, averaged here."""
  placement = Placement(jax.local_devices()[:1])
  runs = [path / 'run' for path in sorted((workdir / 'jobs').glob(f'shift=2-{members}'))]
  assert len(runs) == 2
  config, split = load_run(runs[0])
  assert load_run(runs[1])[1].subjects(part) == split.subjects(part)
  data, predictor = open_data_set(config), make_predictor(myocardium(build_model(config.model)), config, placement)
  states = [restore_state(load_run(run)[0], run, 'latest', placement) for run in runs]
  rows = []
  for record in data.records_of(split.subjects(part)):
    cine = data.cine(record)
    first, second = (next(predictor(placement.replicate(state.variables), [cine]))[1] for state in states)
    rows.append(score(cine, to_mask((first + second) / 2), surface=False))
  expected = pd.concat(rows).groupby('subject')['dice'].mean()
  (path,) = (workdir / 'jobs').glob(f'shift=2-{result}/result.json')
  found = {line['subject']: line['dice'] for line in json.loads(path.read_text())['subjects']}
  # Optimised otherwise here than there: a pixel or two may fall on the other side.
  assert found == pytest.approx(expected.to_dict(), abs=2e-3)


def test_a_failed_job_names_itself_and_its_log_and_stops_no_other(grid):
  args, workdir = grid(optimizer={'learning_rate': 1e38, 'clip_norm': 0.0, 'warmup_steps': 0})
  outcome = command_line.run('ear_jax.ablation', *args)
  assert outcome.status == 1
  lines = [line for line in outcome.stderr.splitlines() if line.startswith('failed:')]
  jobs = sorted(path for path in (workdir / 'jobs').iterdir())
  assert len(jobs) == len(lines) == 4, outcome.stderr
  for job, line in zip(jobs, sorted(lines), strict=True):
    assert re.match(rf'failed: {job.name}: (loss|grad_norm) is nan at step 3: train anew.* \(log: {job / "log"}', line)
  assert outcome.sentence == 'error: 9 jobs have no result; the same command tries them again'


def test_a_grid_that_another_command_is_at_is_refused(grid):
  args, workdir = grid()
  with only_writer(workdir):
    outcome = command_line.run('ear_jax.ablation', *args)
  assert 'is in use by process' in outcome.sentence
  assert not (workdir / 'jobs').exists()


@pytest.mark.parametrize('members', [[0.25], [0.25, 1.0], [0.25, 1.0, 0.5]])
@pytest.mark.parametrize('at_once', [1, 2, 5])
def test_members_are_averaged_cine_by_cine(members, at_once):
  cines = [np.full((2, 3, 3), value, np.float32) for value in (0.0, 1.0, 2.0)]

  def predictor(variables, group):
    return [(cine, variables * cine) for cine in group]

  found = list(averaged(predictor, members, iter(cines), at_once))
  assert [cine[0, 0, 0] for cine, _ in found] == [0, 1, 2]
  for cine, mean in found:
    np.testing.assert_allclose(mean, np.mean(members) * cine, rtol=1e-6)
