"""Short cuts of the faults in tests/torture: a run that is stopped, refused, or finds its files damaged."""

import itertools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import time

import psutil
import pytest
import toy
from traces import final_bytes, last_step

from ear_jax.data.data_set import open_data_set
from ear_jax.data.pipeline import training_batches
from ear_jax.system.errors import UserError
from ear_jax.training.failures import failures_in_words

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

SHARD = 'toy/velocity/1.0.0/toy-train.array_record-00000-of-00001'


def _flip(path: pathlib.Path) -> None:
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)


def _wait(process, come) -> None:
  deadline = time.monotonic() + 600
  while not come():
    assert not process.ended(), process.end().stderr
    assert time.monotonic() < deadline
    time.sleep(0.002)


def test_a_run_told_to_stop_saves_and_goes_on_past_damage_to_the_same_bits(forks, config_file, trained, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run', '--config.eval.every=2')
  process = forks.start(*run)
  _wait(process, lambda: last_step(tmp_path / 'run') >= 5)
  refused = forks.run(*run).sentence
  children = psutil.Process(process.pid).children()
  process.send(signal.SIGTERM)
  outcome = process.end()
  assert f'run is in use by process {process.pid}' in refused
  assert children == [], 'the input pipeline is threads: there is no worker process to be killed'
  assert outcome.status == 0, outcome.stderr
  checkpoints = tmp_path / 'run/checkpoints'
  steps = sorted(int(path.name) for path in checkpoints.iterdir() if path.name.isdecimal())
  assert f'SIGTERM: stopped at step {steps[-1]}: the same command goes on' in outcome.stderr
  assert 5 <= steps[-1] < 20
  # The clock was set back, so that newer files look older; and a bit of the newest checkpoint changed meanwhile.
  for age, step in enumerate(steps):
    os.utime(checkpoints / str(step), (10**9 - age,) * 2)
  _flip(checkpoints / f'{steps[-1]}/state/manifest.ocdbt')
  outcome = forks.run(*run, '--config.parallel=jit')  # the rest of the run in the other form
  assert outcome.status == 0, outcome.stderr
  assert f'checkpoint {steps[-1]} is damaged' in outcome.stderr
  assert f'resuming at step {steps[-2]}' in outcome.stderr
  assert final_bytes(tmp_path / 'run') == final_bytes(trained)


def test_a_full_disk_is_one_sentence_and_costs_no_checkpoint(forks, config_file, trained, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run')
  shutil.copytree(trained, tmp_path / 'run')
  shutil.rmtree(tmp_path / 'run/checkpoints/20')
  # As on a full disk, a file cannot grow; the largest so far is the log or an array of the checkpoint.
  sentence = forks.run(*run, limits={resource.RLIMIT_FSIZE: 20_000}).sentence
  assert 'checkpoint 20 cannot be written' in sentence
  assert 'checkpoint 14 is sound: the same command goes on from it' in sentence
  outcome = forks.run(*run)
  assert outcome.status == 0, outcome.stderr
  assert 'resuming at step 14' in outcome.stderr
  assert final_bytes(tmp_path / 'run') == final_bytes(trained)


@pytest.mark.usefixtures('trained')  # compiles first: jax's warnings of a full cache would fill stderr, a file too
def test_a_disk_that_fills_between_checkpoints_is_one_sentence_and_no_wait(forks, config_file, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path, '--config.eval.every=1000')
  sentence = forks.run(*run, limits={resource.RLIMIT_FSIZE: 8_000}).sentence
  assert '--workdir that can be written and has room' in sentence
  assert 2 < last_step(tmp_path) < 60


def test_a_working_directory_that_cannot_be_written_is_one_sentence(forks, config_file):
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', '/proc/run').sentence
  assert '/proc/run' in sentence
  assert '--workdir that can be written' in sentence


@pytest.mark.parametrize(
  ('args', 'words'),
  [
    (
      ['--config.optimizer.learning_rate=0.5', '--config.seed=3'],
      ['config.optimizer.learning_rate was 0.001 and is 0.5', 'config.seed was 0 and is 3'],
    ),
    (['--config.data.name=toy/others', '--config.split.fold=-1'], ["data.name was 'toy/velocity' and is 'toy/others'"]),
  ],
)
def test_a_run_of_another_configuration_is_refused_with_the_differing_keys(forks, config_file, trained, args, words):
  before = (trained / 'config.json').read_bytes()
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', trained, *args).sentence
  assert [word for word in (*words, 'new --workdir') if word not in sentence] == []
  assert f'--config.init_from={trained}' in sentence
  assert (trained / 'config.json').read_bytes() == before


@pytest.mark.parametrize(
  ('name', 'words'), [('data_hash', 'other cines'), ('data_content', 'other pixels or contours in the same cines')]
)
def test_a_run_on_other_data_is_refused(forks, config_file, trained, tmp_path, name, words):
  for file in ('config.json', 'split.json', 'manifest.json'):
    shutil.copy(trained / file, tmp_path)
  manifest = json.loads((tmp_path / 'manifest.json').read_text())
  (tmp_path / 'manifest.json').write_text(json.dumps(manifest | {name: '0123456789ab'}))
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path).sentence
  assert words in sentence
  assert f'{name} was 0123456789ab and is {manifest[name]}' in sentence


@pytest.mark.parametrize('name', ['config.json', 'split.json', 'manifest.json'])
def test_a_run_whose_papers_are_damaged_is_refused(forks, config_file, trained, tmp_path, name):
  for file in ('config.json', 'split.json', 'manifest.json'):
    shutil.copy(trained / file, tmp_path)
  (tmp_path / name).write_text('{"half": ')
  sentence = forks.run('ear_jax.train', '--config', config_file, '--workdir', tmp_path).sentence
  assert f'{name} is damaged' in sentence


def test_a_damaged_data_set_is_one_sentence(forks, config_file, data_dir, tmp_path):
  shutil.copytree(data_dir / 'toy/velocity', tmp_path / 'toy/velocity')
  _flip(tmp_path / SHARD)
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path / 'run', '--config.data.dir', tmp_path)
  sentence = forks.run(*run).sentence
  assert f'{tmp_path}/toy/velocity/1.0.0 cannot be read' in sentence
  assert 'bring it back from a copy' in sentence


def test_data_damaged_while_it_is_read_are_named(config, data_dir, tmp_path):
  shutil.copytree(data_dir / 'toy/velocity', tmp_path / 'toy/velocity')
  config.data.dir, config.data.cache_gb = str(tmp_path), 0.0
  data = open_data_set(config)
  batches = training_batches(data, data.subjects, config, devices=1)
  next(batches)
  with (tmp_path / SHARD).open('r+b') as file:
    file.write(bytes(range(256)) * 400)
  with pytest.raises(UserError, match=r'toy/velocity/1.0.0 cannot be read'):
    list(itertools.islice(batches, 20))


def test_other_pixels_in_the_same_cines_are_other_content(data, config, data_dir, tmp_path, monkeypatch):
  monkeypatch.setattr(toy, 'MAKERS', {'velocity': _with_one_pixel_changed})
  toy.build(tmp_path, ['velocity'])
  config.data.dir = str(tmp_path)
  other = open_data_set(config)
  assert (other.hash, other.ids) == (data.hash, data.ids)
  assert other.content != data.content


def _with_one_pixel_changed():
  first, *others = toy.phantoms()
  mask = first.mask.copy()
  mask[0, 0, 0] ^= 1
  return (first.replace(mask=mask), *others)


def test_an_address_space_too_small_to_compile_in_is_one_sentence(forks, config_file, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path)
  sentence = forks.run(*run, limits={resource.RLIMIT_AS: 3 * 10**9}).sentence  # where XLA aborted
  assert re.search(r'too little memory to compile in: `ulimit -v` leaves \S+ GB', sentence)
  assert not (tmp_path / 'config.json').exists()


def test_a_thread_that_finds_no_room_is_a_lack_of_memory():
  with pytest.raises(UserError, match='out of memory'), failures_in_words(pathlib.Path('run')):
    raise RuntimeError("can't start new thread")
  with pytest.raises(RuntimeError, match='something else'), failures_in_words(pathlib.Path('run')):
    raise RuntimeError('something else')


def test_too_little_memory_is_one_sentence_with_what_to_change(forks, config_file, tmp_path):
  run = ('ear_jax.train', '--config', config_file, '--workdir', tmp_path)
  large = ('--config.data.crop=4096', '--config.model.name=unet3d', '--config.model.filters=1,2')
  sentence = forks.run(*run, *large, '--config.batch_size=1', limits={resource.RLIMIT_AS: 5 * 10**9}).sentence
  assert re.match(r'error: 3x4096x4096x4 at batch 1 needs about \S+ GB of memory, there are \S+ GB: set --', sentence)
  need, *promised = map(float, re.findall(r'about (\S+) GB', sentence))
  assert 0 < min(promised) < need
  assert not (tmp_path / 'config.json').exists()
