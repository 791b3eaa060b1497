"""The house's rules about who may import whom, read from the source."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted((ROOT / 'ear_jax').rglob('*.py'))


def imported(path):
  """Dotted names that a file imports anywhere, `from a import b` as `a.b`."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def within(name, parents):
  return any(name == parent or name.startswith(f'{parent}.') for parent in parents)


def files_of(rooms):
  return [path for path in FILES if within('.'.join(path.relative_to(ROOT).with_suffix('').parts), rooms)]


def offences(rooms, forbidden):
  return [
    f'{path.relative_to(ROOT)} imports {name}'
    for path in files_of(rooms)
    for name in imported(path)
    if within(name, forbidden)
  ]


ENTRY_POINTS = (
  'ear_jax.train',
  'ear_jax.evaluate',
  'ear_jax.predict',
  'ear_jax.make_phantom',
  'ear_jax.export',
  'ear_jax.ablation',
  'ear_jax.ablations.job',
  'ear_jax.doctor',
  'ear_jax.system.cli',
)


@pytest.mark.parametrize(
  ('rooms', 'forbidden'),
  [
    (('ear_jax.models',), ('ear_jax.training', 'ear_jax.data', 'ear_jax.formats', 'ear_jax.report', 'absl', 'pathlib')),
    (('ear_jax.training.losses', 'ear_jax.training.steps'), ('ear_jax.data', 'absl', 'pathlib', 'time')),
    (('ear_jax.training',), ('ear_jax.formats', 'ear_jax.report', 'ear_jax.phantom')),
    (('ear_jax.networks',), ('ear_jax.scoring', 'ear_jax.report', 'ear_jax.formats', 'ear_jax.workflows')),
    (('ear_jax.analysis',), ('absl', 'pathlib', 'time', 'os', 'jax', 'ear_jax.report', 'ear_jax.training')),
    (('ear_jax.scoring',), ('absl', 'pathlib', 'time', 'os', 'jax', 'ear_jax.report', 'ear_jax.training')),
    (('ear_jax.phantom',), ('absl', 'pathlib', 'time', 'os', 'jax', 'ear_jax.formats', 'ear_jax.training')),
    (('ear_jax.formats', 'ear_jax.report', 'ear_jax.data'), ENTRY_POINTS),
    (
      ('ear_jax.cine', 'ear_jax.system.errors', 'ear_jax.system.files'),
      ('ear_jax.data', 'ear_jax.models', 'ear_jax.training', 'jax'),
    ),
  ],
  ids=lambda value: value[0],
)
def test_imports_point_one_way(rooms, forbidden):
  assert all(files_of([room]) for room in rooms)
  assert offences(rooms, forbidden) == []


def test_nothing_in_the_package_imports_tensorflow_or_the_tfds_command_line():
  assert offences(['ear_jax'], ('tensorflow', 'tensorflow_datasets.scripts')) == []
