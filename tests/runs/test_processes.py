"""One run of several processes: the curve of one process, checkpoints that move between them, and a common end."""

import os
import re
import socket
import time

import command_line
import numpy as np
import pytest

from ear_jax.training.checksums import saved_steps
from ear_jax.training.log import read_metrics

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

# A warm-up is cut to the number of steps, so that runs of other lengths would differ.
_FIELDS = ('batch_size=4', 'optimizer.schedule=constant', 'optimizer.warmup_steps=0', 'eval.every=3', 'log_every=1')


def _start(config_file, workdir, *args):
  fields = [f'--config.{field}' for field in _FIELDS]
  return command_line.start('ear_jax.train', '--config', config_file, '--workdir', workdir, *fields, *args)


def _start_two(config_file, workdir, *args):
  """Two processes of two virtual devices."""
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    coordinator = f'--coordinator=127.0.0.1:{free.getsockname()[1]}'
  shared = ('--config.cpu_devices=2', coordinator, '--num_processes=2', *args)
  return [_start(config_file, workdir, *shared, f'--process_id={i}') for i in range(2)]


def _finish(processes, seconds=500):
  outcomes = []
  for process in processes:
    with process:
      try:
        stdout, stderr = process.communicate(timeout=seconds)
      finally:
        process.kill()  # SIGTERM would only ask it to stop
    outcomes.append(command_line.Outcome(process.returncode, stdout, stderr))
  return outcomes


def _await_a_step(processes, workdir, seconds=500):
  deadline = time.monotonic() + seconds
  while not read_metrics(workdir):
    assert time.monotonic() < deadline, 'no step'
    assert processes[0].poll() is None, processes[0].stderr.read()
    time.sleep(0.05)


def _train(processes):
  outcomes = _finish(processes)
  assert [outcome.status for outcome in outcomes] == [0] * len(outcomes), outcomes
  return outcomes


def _column(workdir, name):
  lines = [line for line in read_metrics(workdir) if name in line]
  return [line['step'] for line in lines], np.array([line[name] for line in lines])


def test_any_processes_and_devices_train_the_same_network_and_go_on_from_each_other(config_file, tmp_path):
  _train([_start(config_file, tmp_path / 'one', '--config.steps=9', '--config.cpu_devices=4')])
  mixed = tmp_path / 'mixed'
  first, second = _train(_start_two(config_file, mixed, '--config.steps=3'))
  assert 'step 3 of 3' in first.stderr
  assert 'step 3' not in second.stderr, 'every line twice'
  (alone,) = _train([_start(config_file, mixed, '--config.steps=6', '--config.cpu_devices=1')])
  assert 'resuming at step 3' in alone.stderr
  resumed, _ = _train(_start_two(config_file, mixed, '--config.steps=9', '--config.parallel=jit'))
  assert 'resuming at step 6' in resumed.stderr
  # Dice is of a mask: a rounding error takes a pixel at probability one half to the other side, 1e-4 of these pictures.
  for name, tolerance in (('loss', 1e-5), ('validation_dice', 1e-3)):
    (steps, expected), (found_steps, found) = (_column(workdir, name) for workdir in (tmp_path / 'one', mixed))
    assert found_steps == steps
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
  assert len(np.unique(_column(mixed, 'loss')[1])) == 9, 'a curve that does not change compares nothing'


def test_a_process_that_is_killed_ends_the_other_with_a_sentence(config_file, tmp_path):
  processes = _start_two(config_file, tmp_path, '--config.steps=100000', '--config.eval.every=100000')
  _await_a_step(processes, tmp_path)
  processes[1].kill()
  survivor, killed = _finish(processes)
  assert killed.status == -9
  _check_last_word(survivor, 0)


def test_when_the_process_that_coordinates_is_killed_the_last_line_of_the_others_says_what_to_do(config_file, tmp_path):
  processes = _start_two(config_file, tmp_path, '--config.steps=100000', '--config.eval.every=100000')
  _await_a_step(processes, tmp_path)
  processes[0].kill()
  _, survivor = _finish(processes)
  _check_last_word(survivor, 1)


def _check_last_word(survivor, number):
  assert survivor.status == 1
  last = survivor.stderr.splitlines()[-1]
  # Whichever comes first: the exchange between devices, whose connection broke, or jax.
  assert re.match(f'error: process {number} of 2 (lost the others|was aborted)', last), survivor.stderr
  assert last.endswith('the same commands go on from the last checkpoint')
  assert 'Traceback' not in survivor.stderr


def test_sigterm_to_one_process_saves_and_ends_all(config_file, tmp_path):
  processes = _start_two(config_file, tmp_path, '--config.steps=100000', '--config.eval.every=100000')
  _await_a_step(processes, tmp_path)
  processes[1].terminate()
  first, _ = _train(processes)
  stopped = int(re.search(r'stopped at step (\d+)', first.stderr)[1])
  assert saved_steps(tmp_path / 'checkpoints') == [stopped]
  assert read_metrics(tmp_path)[-1]['step'] == stopped


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (['--num_processes=2'], ['--coordinator', '--process_id', 'not given']),
    (['--coordinator=node1:1', '--num_processes=2', '--process_id=2'], ['--process_id=2', '0 or more']),
    (['--coordinator=node1', '--num_processes=2', '--process_id=0'], ['node1', 'host:port']),
  ],
)
def test_flags_that_do_not_go_together_are_answered_with_a_sentence(forks, config_file, tmp_path, args, words):
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path, *args).sentence
  assert [word for word in words if word not in sentence] == [], sentence


def test_a_port_in_use_is_answered_with_a_sentence(forks, config_file, tmp_path):  # case T12
  with socket.create_server(('127.0.0.1', 0)) as other:
    coordinator = f'127.0.0.1:{other.getsockname()[1]}'
    args = (f'--coordinator={coordinator}', '--num_processes=2', '--process_id=0')
    outcome = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path, *args)
  assert outcome.status == 1
  assert f'--coordinator={coordinator}' in outcome.sentence
  assert 'in use' in outcome.sentence


def test_an_allocation_of_several_tasks_is_several_processes_only_within_srun(monkeypatch):
  from ear_jax.devices import processes as cluster

  for name in [name for name in os.environ if name.startswith('SLURM_')]:
    monkeypatch.delenv(name)
  assert cluster.asked_for(None, None, None) == 1
  monkeypatch.setenv('SLURM_NTASKS', '4')
  assert cluster.asked_for(None, None, None) == 1
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '4')
  assert cluster.asked_for(None, None, None) == 4
