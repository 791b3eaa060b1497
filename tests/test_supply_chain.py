"""What is imported is asked for, what is asked for is locked by hash for each Python, and has its licence listed."""

import ast
import fnmatch
import importlib.metadata
import pathlib
import re
import sys
import tomllib

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = pathlib.Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())
PROJECT = PYPROJECT['project']
LOCKED = re.compile(r'^([A-Za-z0-9_.-]+==[^\\\n]+)', re.MULTILINE)
PYTHONS = '3.11', '3.12', '3.13'
# Imported where the extra of that name is needed, and only there.
OF_AN_EXTRA = {
  'submitit': 'ear_jax/ablations/*',
  'apache_beam': 'data_builders/*',
  'tensorflow': 'data_builders/*',
  'starlette': 'ear_jax/editor/*',
  'uvicorn': 'ear_jax/editor/*',
}


def plain(name):
  return re.sub(r'[-_.]+', '-', name).lower()


def locked(name, python, system='linux'):
  """The versions, by package, that a lock gives to a Python."""
  here = default_environment() | {
    'python_version': python,
    'python_full_version': f'{python}.1',
    'sys_platform': system,
  }
  found = [Requirement(text) for text in LOCKED.findall((ROOT / name).read_text())]
  found = [one for one in found if one.marker is None or one.marker.evaluate(here)]
  assert len({plain(one.name) for one in found}) == len(found), 'two versions of one package'
  return {plain(one.name): next(iter(one.specifier)).version for one in found}


def asked(*extras):
  lists = PROJECT['dependencies'], *(PROJECT['optional-dependencies'][extra] for extra in extras)
  return [Requirement(text) for texts in lists for text in texts]


@pytest.mark.parametrize('system', ['linux', 'darwin', 'win32'])
@pytest.mark.parametrize('python', PYTHONS)
def test_each_python_gets_one_version_of_all_that_is_asked_for(python, system):
  versions = locked('requirements.lock', python, system)
  for one in asked('build', 'slurm'):
    if one.marker is None or one.marker.evaluate({'sys_platform': system}):
      assert one.specifier.contains(versions[plain(one.name)]), 'run `make lock`'
  assert versions.items() <= locked('requirements-dev.lock', python, system).items()


def test_python_3_11_has_the_last_jax_for_it_and_the_others_a_newer_one():
  jax = {python: locked('requirements.lock', python)['jax'] for python in PYTHONS}
  assert jax['3.11'] == '0.10.2'
  assert jax['3.12'] == jax['3.13'] >= '0.12'


@pytest.mark.parametrize('name', ['requirements', 'requirements-dev'])
def test_each_package_of_a_lock_has_its_hash(name):
  text = (ROOT / f'{name}.lock').read_text()
  entries = re.split(r'^(?=\S)', text, flags=re.MULTILINE)[1:]
  assert len(entries) > 100
  assert [entry.split()[0] for entry in entries if not re.search(r'--hash=sha256:[0-9a-f]{64}', entry)] == []
  assert '://' not in text  # no index and no address: the machine that installs has its own
  assert '--index' not in text


def test_make_installs_by_hash():
  rules = [
    line for line in (ROOT / 'Makefile').read_text().splitlines() if re.search(r'\$\((BIN|OTHER)\S* install', line)
  ]
  assert len(rules) == 5
  assert all('--require-hashes' in line or '--no-deps --no-build-isolation' in line for line in rules)


def test_every_package_has_its_licence_listed():
  text = (ROOT / 'docs/licences.md').read_text()
  listed = {plain(name) for name in re.findall(r'([\w.-]+) \d[\w.]*(?=, | \|$)', text, re.MULTILINE)}
  names = {plain(Requirement(text).name) for text in LOCKED.findall((ROOT / 'requirements.lock').read_text())}
  assert names - listed == set(), 'run `make lock`'


def imports():
  """Yields the file and the module of every import of another's code."""
  for folder in ('ear_jax', 'configs', 'data_builders'):
    for path in sorted((ROOT / folder).rglob('*.py')):
      for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        for name in {name.split('.')[0] for name in names}:
          if name not in sys.stdlib_module_names and name not in ('ear_jax', 'configs', 'data_builders'):
            yield path.relative_to(ROOT).as_posix(), name


def test_every_import_is_of_a_package_that_is_asked_for_by_name():
  core = {plain(one.name) for one in asked()}
  providers = importlib.metadata.packages_distributions()
  chance = []
  for path, name in imports():
    if fnmatch.fnmatch(path, OF_AN_EXTRA.get(name, '')) or 'test' in pathlib.Path(path).name:
      continue
    if core.isdisjoint(map(plain, providers[name])):
      chance.append(f'{path} imports {name} of {providers[name]}')
  assert chance == []


def test_the_core_asks_for_nothing_that_only_building_data_needs():
  core, build = ({plain(one.name) for one in found} for found in (asked(), asked('build')))
  assert {'tensorflow-cpu', 'apache-beam', 'mlcroissant'} <= build - core


def test_a_wheel_takes_every_file_of_the_package():
  taken = PYPROJECT['tool']['setuptools']['package-data']
  files = [path for path in (ROOT / 'ear_jax').rglob('*') if path.is_file() and '__pycache__' not in path.parts]
  data = [path.relative_to(ROOT) for path in files if path.suffix != '.py']
  assert len(data) >= 10
  for path in data:
    globs_of = {str(pathlib.Path(*package.split('.'), glob)) for package, globs in taken.items() for glob in globs}
    assert any(path.parent == pathlib.Path(glob).parent and path.match(glob) for glob in globs_of), path


def test_an_image_holds_what_it_copies_and_no_data():
  allowed = {line[1:] for line in (ROOT / '.dockerignore').read_text().splitlines() if line.startswith('!')}
  copies = re.findall(r'^COPY (.+) \S+$', (ROOT / 'Dockerfile').read_text(), re.MULTILINE)
  sources = {source for line in copies for source in line.split()}
  assert sources == allowed
  assert all((ROOT / source).exists() for source in sources)
  assert '*' in (ROOT / '.dockerignore').read_text().splitlines()
