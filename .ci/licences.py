"""Writes docs/licences.md: the licence of every package of requirements.lock, as the installed package states it."""

import importlib.metadata
import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent
_HEAD = """# Licences of what this software stands on

Written by `make lock` from the metadata of the installed packages; nothing of theirs is copied into this project. The
packages that only tests need are not listed. A dash: not installed on the machine that wrote this, since only other
systems need it.

| licence | packages |
|---|---|
"""


def licence(name: str) -> str:
  """Returns what a package says of its licence: the expression, the classifiers, or the first line of its text."""
  try:
    about = importlib.metadata.metadata(name)
  except importlib.metadata.PackageNotFoundError:
    return '-'
  if about.get('License-Expression'):
    return about['License-Expression']
  classifiers = [text.split(' :: ')[-1] for text in about.get_all('Classifier', []) if text.startswith('License ::')]
  stated = (about.get('License') or '').strip().splitlines()
  named = [text for text in classifiers if text != 'OSI Approved'] or stated[:1] or ['see the package']
  return ', '.join(named)[:80]


def main() -> None:
  """Writes the table: a row a licence, which is what somebody who must approve the software looks through."""
  lines = re.findall(r'^([A-Za-z0-9_.-]+)==([^\s;]+)', (ROOT / 'requirements.lock').read_text(), re.MULTILINE)
  by_licence: dict[str, list[str]] = {}
  for name, version in lines:
    by_licence.setdefault(licence(name), []).append(f'{name} {version}')
  rows = [f'| {stated} | {", ".join(packages)} |\n' for stated, packages in sorted(by_licence.items())]
  (ROOT / 'docs/licences.md').write_text(_HEAD + ''.join(rows), encoding='utf-8')


if __name__ == '__main__':
  main()
