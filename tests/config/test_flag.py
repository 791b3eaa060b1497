"""Fields on the command line: those that are there are set; those that are not are a sentence with the nearest ones."""

import json
import pathlib
import subprocess
import sys

import pytest

from ear_jax.config import flag

pytestmark = pytest.mark.multiprocess

ROOT = pathlib.Path(__file__).parents[2]
_EACH = """
import contextlib, io, json, sys
from ear_jax.config import flag
from ear_jax.system import cli

said = []
for words in json.loads(sys.argv[1]):
  sys.argv[1:] = words
  with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
    with contextlib.suppress(SystemExit):
      cli.run(lambda given: print(given.config.steps, given.config.model.filters), flag.define(''))
  said.append(out.getvalue().strip())
print(json.dumps(said))
"""
FILTERS = '--config.model.filters=4,8'
WRONG = [  # case T5
  (['optimizer.lr=1'], 'config.optimizer has no field lr; nearest: config.optimizer.learning_rate'),
  (['lr=1'], 'config has no field lr; nearest: config.optimizer.learning_rate'),
  (['data.nmae=3'], 'config.data has no field nmae; nearest: config.data.name'),
  (['batchsize=4'], 'config has no field batchsize; nearest: config.batch_size, config.eval.batch_size'),
  (['modle.name=x'], 'config has no field modle; nearest: config.model.name'),
  (['optimiser.colour=4'], 'config has no field optimiser; nearest: config.optimizer'),
  (['split.colour=3'], 'config.split has no field colour (it has fold, folds, seed, test_fraction)'),
  (['split.a-b=3'], 'config.split has no field a-b (it has fold, folds, seed, test_fraction)'),
  (['data.crop.x=3'], 'config.data.crop is a value and has no field x'),
  (['split=3'], 'config.split is a section: set a field of it (fold, folds, seed, test_fraction)'),
  (['steps=1.5'], 'flag --config.steps=1.5: expected an integer'),
  (['loss.smooth=x'], 'flag --config.loss.smooth=x: expected a number'),
  (['augment.flip=maybe'], 'flag --config.augment.flip=maybe: expected true or false'),
  (['model.filters=(4,'], 'flag --config.model.filters=(4,: expected values with commas between them'),
]


def said(folder, *lines):
  """What a command says to each line of words, which is run in `folder`."""
  given = json.dumps([[f'--config={ROOT}/configs/quickstart.py', *line] for line in lines])
  done = subprocess.run([sys.executable, '-c', _EACH, given], cwd=folder, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


def test_a_field_that_is_none_is_a_sentence_without_pythons_words():
  found = said(ROOT, *([f'--config.{word}' for word in words] for words, _ in WRONG))
  for sentence, (_, expected) in zip(found, WRONG, strict=True):
    assert sentence == f'error: {expected}'


def test_the_last_value_holds_and_a_file_finds_its_neighbours(tmp_path, monkeypatch):  # case T4
  (tmp_path / 'ear_jax').symlink_to(ROOT / 'ear_jax')  # the package, without `configs`
  monkeypatch.setenv('PYTHONPATH', str(tmp_path))
  assert said(tmp_path, ['--config.steps=3', '--config.steps=5', FILTERS]) == ['5 (4, 8)']


def test_of_two_tuples_the_last_holds_and_none_are_joined(tmp_path):  # case T1
  wrapped = ['--config.model.filters=(4, 8)', FILTERS, '--config.model.filters=16', '--config.steps=7']
  apart = ['--config.model.filters', '4', FILTERS]
  last, refused = said(ROOT, wrapped, apart)
  assert last == '7 (16,)'
  assert refused == 'error: --config.model.filters is given 2 times: give it once, such as --config.model.filters=4,8'


def test_a_path_in_a_file_of_configs_is_found_from_any_folder(tmp_path, monkeypatch):  # case T4
  grid = str(ROOT / 'configs/ablation.py')
  monkeypatch.chdir(tmp_path)
  assert flag.found_from('configs/ear3d.py', grid) == str(ROOT / 'configs/ear3d.py')
  assert flag.found_from('configs/nothing.py', grid) == 'configs/nothing.py'
  (tmp_path / 'configs').mkdir()
  (tmp_path / 'configs/ear3d.py').write_text('mine')
  assert flag.found_from('configs/ear3d.py', grid) == 'configs/ear3d.py'
