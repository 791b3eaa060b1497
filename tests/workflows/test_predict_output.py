"""Where results cannot be written a sentence says so, before the work where it can be known; case B7."""

import os
import subprocess

import pytest

import ear_jax
from ear_jax.analysis import uncertainty
from ear_jax.cine import Study
from ear_jax.formats import hdf5
from ear_jax.phantom import study as phantom
from ear_jax.system.errors import UserError
from ear_jax.workflows import predict as workflow
from ear_jax.workflows.examine import Options

SMALL = phantom.Size('phantom_small', 1, 0, (1,), 6, 48, 2.4, 2.4, offset=2.0, sharing=0.0)


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
  """A study whose contours are known in every frame, so that no network is needed."""
  cine = phantom.render(phantom.plan(SMALL)[0])
  path = tmp_path_factory.mktemp('drawn') / 'anna.h5'
  hdf5.write(Study('anna', 'anna', (cine.replace(subject='anna', dataset='anna'),)), path)
  (opened,) = ear_jax.open_studies(path)
  return opened


@pytest.fixture
def small_disk(tmp_path):
  """Mounts a tmpfs of a size; skips where that is forbidden."""
  if os.name != 'posix' or os.geteuid():
    pytest.skip('only root mounts file systems')
  place = tmp_path / 'disk'
  place.mkdir()

  def mount(size):
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', place], capture_output=True)
    if done.returncode:
      pytest.skip('mounting is forbidden here')
    return place

  yield mount
  subprocess.run(['umount', place], check=False)


def test_the_place_is_asked_before_the_work(drawn, tmp_path, monkeypatch):
  monkeypatch.setattr(workflow, 'examine', None)
  (tmp_path / 'out').write_text('mine')
  with pytest.raises(UserError, match=r'^anna: results cannot be written to .*out: a file is in the way: give another'):
    ear_jax.predict(drawn, tmp_path / 'out', [], force=True)


@pytest.mark.parametrize('asked', [{'ed_frame': 6}, {'es_frame': 99}, {'ed_frame': -1}])
def test_a_frame_that_the_study_lacks_is_refused_before_the_work(drawn, tmp_path, monkeypatch, asked):
  monkeypatch.setattr(workflow, 'examine', None)
  ((name, frame),) = asked.items()
  with pytest.raises(UserError, match=rf'^--{name}={frame}: anna has frames 0 to 5: give one of these$'):
    ear_jax.predict(drawn, tmp_path / 'out', [], Options(**asked), force=True)


def test_results_are_a_summary_and_more(drawn, tmp_path):
  summary = ear_jax.predict(drawn, tmp_path / 'out', [], force=True)
  assert summary['study'] == 'anna'
  assert summary['slices'][0]['intervals'] == uncertainty.NOT_HAD  # six frames
  assert (tmp_path / 'out/summary.json').exists()


@pytest.mark.parametrize('left', [20, 120, 220, 320, 420])
def test_a_disk_that_fills_during_the_work_is_one_sentence(drawn, small_disk, monkeypatch, left):
  place, examine = small_disk('4m'), workflow.examine

  def another_writes(*arguments):
    (place / 'ballast').write_bytes(bytes(4 * 2**20 - (left + 20) * 1024))
    return examine(*arguments)

  monkeypatch.setattr(workflow, 'examine', another_writes)
  with pytest.raises(UserError, match=r'^anna: results cannot be written to .*disk/out') as error:
    ear_jax.predict(drawn, place / 'out', [], force=True)
  assert '\n' not in str(error.value)
  assert not (place / 'out/summary.json').exists()
