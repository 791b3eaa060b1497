"""A grid's jobs on SLURM: when one has ended, and how often one is queued again; on a real SLURM: `make slurm`."""

from types import SimpleNamespace

import pytest
import submitit

from configs import ablation
from ear_jax.ablations import job as job_module
from ear_jax.ablations import launcher as launcher_module
from ear_jax.ablations.work import Work


@pytest.fixture
def slurm(monkeypatch, tmp_path):
  """A launcher, its clock and the file of what `squeue` prints, without which `squeue` fails."""
  queue, clock = tmp_path / 'queue', SimpleNamespace(now=0.0)
  program = tmp_path / 'squeue'
  program.write_text(f'#!/bin/sh\ncat {queue}\n')
  program.chmod(0o755)
  monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
  monkeypatch.setattr(submitit.SlurmExecutor, 'affinity', lambda: 2)
  monkeypatch.setattr(launcher_module.time, 'monotonic', lambda: clock.now)
  config = ablation.get_config().launcher
  config.executor = 'slurm'
  return launcher_module.Launcher(config, jobs=2), clock, queue


def test_a_job_that_left_the_queue_without_a_word_has_ended_a_minute_later(slurm):
  launcher, clock, queue = slurm
  job = SimpleNamespace(job_id='12', done=lambda: False)
  found = {}
  for seconds, listed in ((0, '11\n12\n'), (10, '11\n'), (60, '11\n'), (70, '12\n'), (80, ''), (130, ''), (141, '')):
    clock.now = seconds
    queue.write_text(listed)
    found[seconds] = launcher.ended(job)
  assert found == {0: False, 10: False, 60: False, 70: False, 80: False, 130: False, 141: True}


def test_a_failed_start_is_not_the_end_of_a_job_that_slurm_queued_again(slurm):
  launcher, clock, queue = slurm
  job = SimpleNamespace(job_id='12', done=lambda: True)
  for clock.now, listed, ended in ((0, '12\n', False), (10, '12\n', False), (20, '', True)):
    queue.write_text(listed)
    assert launcher.ended(job) == ended


def test_while_slurm_does_not_answer_no_job_has_ended_but_by_its_own_word(slurm):
  launcher, clock, _ = slurm
  for clock.now in (0, 100, 200):
    assert not launcher.ended(SimpleNamespace(job_id='12', done=lambda: False))
  assert launcher.ended(SimpleNamespace(job_id='12', done=lambda: True))


def test_a_job_is_queued_again_until_three_starts_in_a_row_have_saved_nothing(monkeypatch, tmp_path):
  steps = iter((5, 5, 9, 9, 9, 9))  # the last checkpoint after each start
  run = lambda folder: (folder / f'run/checkpoints/{next(steps)}').mkdir(parents=True, exist_ok=True)  # noqa: E731
  monkeypatch.setattr(job_module, 'run', run)
  work, again = Work(), []
  while not again or again[-1]:
    work(str(tmp_path))
    again.append(work.checkpoint(str(tmp_path)) is not None)
  assert again == [True, True, True, True, True, False]
