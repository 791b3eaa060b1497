"""What `make` installs is pinned by hash, is what the requirements say, and has its licence listed."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PINNED = re.compile(r'^([A-Za-z0-9_.-]+)==([^\s;]+)', re.MULTILINE)


def plain(name):
  return re.sub(r'[-_.]+', '-', name).lower()


def pins(path):
  return {plain(name): version for name, version in PINNED.findall((ROOT / path).read_text())}


@pytest.mark.parametrize('name', ['requirements', 'requirements-dev'])
def test_the_lock_holds_what_is_required_and_each_by_its_hash(name):
  text = (ROOT / f'{name}.lock').read_text()
  assert pins(f'{name}.txt').items() <= pins(f'{name}.lock').items(), 'run `make lock`'
  entries = re.split(r'^(?=\S)', text, flags=re.MULTILINE)[1:]
  assert len(entries) > 100
  assert [entry.split()[0] for entry in entries if not re.search(r'--hash=sha256:[0-9a-f]{64}', entry)] == []
  assert '://' not in text  # no index and no address: the machine that installs has its own
  assert '--index' not in text


def test_the_product_is_part_of_what_is_developed_with():
  assert pins('requirements.lock').items() <= pins('requirements-dev.lock').items()


def test_make_installs_by_hash():
  rules = [line for line in (ROOT / 'Makefile').read_text().splitlines() if '$(BIN)/pip install' in line]
  assert len(rules) == 3
  assert all('--require-hashes' in line or '--no-deps --no-build-isolation' in line for line in rules)


def test_every_package_has_its_licence_listed():
  listed = {plain(row.split(' | ')[0].strip('| ')) for row in (ROOT / 'docs/licences.md').read_text().splitlines()}
  assert pins('requirements.lock').keys() - listed == set(), 'run `make lock`'
