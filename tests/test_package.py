"""`import ear_jax`: its names, found when they are first used, beside commands of the same names."""

import ast
import pathlib
import subprocess
import sys

import pytest

import ear_jax

ROOT = pathlib.Path(__file__).parents[1]
PREDICTS = """
import ear_jax.workflows.predict, ear_jax.predict
ear_jax.load_network({path!r})
"""


def run(program, *args):
  return subprocess.run([sys.executable, '-c', program, *args], cwd=ROOT, check=True, capture_output=True, text=True)


def test_every_name_is_there_documented_and_known_to_type_checkers():
  stub = ast.parse((ROOT / 'ear_jax/__init__.pyi').read_text())
  told = {alias.asname or alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
  told |= {node.targets[0].id for node in stub.body if isinstance(node, ast.Assign)}
  for name in set(ear_jax.__all__) - {'__version__'}:
    assert getattr(ear_jax, name).__doc__
    assert name in ear_jax.__doc__
    assert name in told
    assert name in dir(ear_jax)
  with pytest.raises(AttributeError, match="'ear_jax' has no attribute 'trian'"):
    ear_jax.trian  # noqa: B018
  assert (ROOT / 'ear_jax/py.typed').exists()


def test_what_a_notebook_shows_of_a_study_is_one_line_and_no_array():
  cine = ear_jax.phantom_study()[0]
  shown = [repr(one) for one in (cine, ear_jax.analyse(cine, cine.mask), ear_jax.load_network('ear3d-phantom'))]
  assert [text.partition('(')[0] for text in shown] == ['Cine', 'SliceMotion', 'Network']
  assert max(map(len, shown)) < 120


def test_the_package_itself_imports_nothing_beyond_python():
  found = run('import sys; before = set(sys.modules); import ear_jax; print(*sorted(set(sys.modules) - before))').stdout
  assert [name for name in found.split() if name.partition('.')[0] not in sys.stdlib_module_names] == ['ear_jax']


@pytest.mark.multiprocess
@pytest.mark.parametrize(
  'program',
  [
    'import ear_jax.train, ear_jax.predict, ear_jax.evaluate, ear_jax.export, ear_jax.make_phantom, ear_jax',
    'import ear_jax; ear_jax.train; import ear_jax.train, ear_jax.predict',
    'from ear_jax import train, predict; import ear_jax.train, ear_jax',
    'import importlib, ear_jax; assert importlib.import_module("ear_jax.train").main; assert ear_jax.train',
    'from ear_jax import *; import ear_jax.train, ear_jax; assert train is ear_jax.train',
  ],
  ids=['commands-first', 'functions-first', 'from', 'importlib', 'star'],
)
def test_a_command_does_not_hide_the_function_of_its_name(program):
  check = """
import sys
assert ear_jax.train.__name__ == 'train_and_evaluate', ear_jax.train
assert ear_jax.predict.__module__ == 'ear_jax.workflows.predict'
assert sys.modules['ear_jax.train'].main, 'the command is where python -m and importlib look for it'
from ear_jax import train
assert train is ear_jax.train
assert 'train' in dir(ear_jax)
import ear_jax.cine
assert ear_jax.cine.Cine is ear_jax.Cine, 'a module of another name is bound as ever'
"""
  run(program + '\n' + check)


@pytest.mark.multiprocess
def test_what_predicts_needs_no_data_sets_and_what_loads_an_exported_network_no_checkpoints():
  heavy = "import sys; print(*{'tensorflow_datasets', 'grain', 'orbax', 'tensorflow', 'optax'} & set(sys.modules))"
  network = ROOT / 'ear_jax/networks/weights/ear3d-phantom.zip'
  assert run(PREDICTS.format(path=str(network)) + heavy).stdout.split() == []
