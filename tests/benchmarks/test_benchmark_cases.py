"""What may be asked of the benchmark, and what everyone is given."""

import ast
import pathlib

import numpy as np
import pytest

from benchmarks.compare import entries
from ear_jax.benchmarking import machine
from ear_jax.benchmarking.cases import Case, parse_size
from ear_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


def test_a_size_is_frames_and_the_side_of_a_square():
  assert parse_size('50x128x128', 4) == (50, 128)


@pytest.mark.parametrize('text', ['50x128', '50x128x96', '50 x 128 x 128', '0x128x128', '16x0x0', 'x'])
def test_another_form_is_refused_with_the_text_that_was_given(text):
  with pytest.raises(UserError, match=f'size {text!r}'):
    parse_size(text, 4)


def test_a_picture_that_cannot_be_halved_so_often_is_refused():
  assert parse_size('16x24x24', 3) == (16, 24)
  with pytest.raises(UserError, match=r'divisible by 16 \(4 levels\)'):
    parse_size('16x24x24', 4)


def test_everyone_gets_the_same_numbers_and_both_classes():
  case = Case('unet3d', 2, 16, 3, (2,))
  (video, mask), (again, _) = case.inputs(), case.inputs()
  assert (video.shape, mask.shape) == ((3, 2, 16, 16, 4), (3, 2, 16, 16))
  np.testing.assert_array_equal(video, again)
  assert video.dtype == np.float32
  assert set(np.unique(mask)) == {0, 1}


def test_ours_takes_a_device_a_core_where_the_batch_divides_and_peers_all_cores(monkeypatch):
  monkeypatch.setattr(machine, 'cores', lambda: (0, 1))
  names = ['ours', 'torch', 'keras:jit']
  one, two = (entries(Case('unet3d', 2, 16, batch, (2,)), names) for batch in (1, 2))
  assert [[entry.devices for entry in group] for group in (one, two)] == [[1, 1, 1], [2, 1, 1]]
  assert {entry.cores for entry in one + two} == {(0, 1)}
  assert [(entry.name, entry.variant) for entry in two] == [('ours', ''), ('torch', ''), ('keras:jit', 'jit')]


@pytest.mark.parametrize('names', [['torch'], ['ours', 'theirs'], []])
def test_contestants_that_are_unknown_or_come_without_ours_are_refused(names):
  with pytest.raises(UserError, match='begin with ours'):
    entries(Case('unet3d', 2, 16, 1, (2,)), names)


def test_the_machine_is_described_without_its_name():
  assert set(machine.describe()) == {'processor', 'cores', 'memory_gb', 'vectors', 'system'}
  assert machine.describe()['memory_gb'] > 0.5


def test_the_package_imports_neither_the_benchmarks_nor_a_peer():
  for path in (ROOT / 'ear_jax').rglob('*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      names = [alias.name for alias in getattr(node, 'names', []) if isinstance(node, ast.Import)]
      names += [node.module or ''] if isinstance(node, ast.ImportFrom) else []
      assert not {name.partition('.')[0] for name in names} & {'benchmarks', 'torch', 'keras', 'tensorflow'}, path


def test_a_system_that_does_not_tell_its_cores_has_one(monkeypatch):
  monkeypatch.delattr('os.sched_getaffinity')
  monkeypatch.setattr('os.cpu_count', lambda: 3)
  assert machine.cores() == (0, 1, 2)
  monkeypatch.setattr('os.cpu_count', lambda: None)
  assert machine.cores() == (0,)
