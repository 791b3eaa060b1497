"""Train, resume, evaluate, export and predict without a network, and with nothing that may be unpickled."""

import os
import sys
from pathlib import Path

import pytest
import sound_studies
from sandbox import Sandbox

sys.path.append(str(Path(__file__).parents[1] / 'runs'))
import toy

pytestmark = pytest.mark.multiprocess


@pytest.fixture(scope='module')
def sandbox(tmp_path_factory):
  return Sandbox(tmp_path_factory.mktemp('closed'), seconds=600, memory=2**33, connected=False)


def test_the_sandbox_has_no_network(sandbox, tmp_path):
  outcome = sandbox.run('misbehaving:resolves', writes=tmp_path)
  assert outcome.fault.startswith('forbidden: socket.getaddrinfo')
  if os.geteuid() == 0:
    assert 'Network is unreachable' in sandbox.run('misbehaving:connects', writes=tmp_path).stdout


@pytest.mark.slow
def test_a_whole_run_reaches_nobody_and_unpickles_nothing(sandbox, tmp_path):
  toy.build(tmp_path / 'data', ['velocity'])
  changes = toy.changes(tmp_path / 'data') | {'steps': 4, 'eval': {'every': 2}}
  changes['optimizer'] |= {'schedule': 'constant', 'warmup_steps': 0}  # one program, however many steps
  config, run, exported = toy.write_config(tmp_path / 'tiny.py', changes), tmp_path / 'run', tmp_path / 'ear3d.zip'
  sound_studies.write('dicom', tmp_path / 'study')
  steps = (
    ('ear_jax.train', '--config', config, '--workdir', run),
    ('ear_jax.train', '--config', config, '--workdir', run, '--config.steps=6'),
    ('ear_jax.evaluate', '--workdir', run),
    ('ear_jax.export', '--checkpoint', run, '--output', exported),
    ('ear_jax.predict', tmp_path / 'study', '--checkpoint', exported, '--output', tmp_path / 'out', '--force'),
  )
  for step in steps:
    outcome = sandbox.run(*step, writes=tmp_path)
    assert (outcome.fault, outcome.status) == ('', 0), (step[0], outcome.stderr[-2000:])
  assert list((tmp_path / 'out').rglob('report.html'))
