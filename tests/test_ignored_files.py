"""Whoever works in a clone as README and docs tell has nothing of a patient in `git add .`; case N11."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parent.parent
WRITES = re.compile(r'--(?:output|workdir|data_dir)[= ]([a-z][\w./-]*)')  # in capitals: whatever a user names it
OURS = ('docs/', 'ear_jax/')  # published on purpose: scores and pictures of public data and phantoms, weights

pytestmark = pytest.mark.skipif(
  not (ROOT / '.git').exists() or shutil.which('git') is None, reason='not a clone: nothing to be added to'
)


def kept(paths):
  """Those of some paths that git would take."""
  command = ['git', '-C', str(ROOT), 'check-ignore', '--no-index', '--stdin']
  ignored = subprocess.run(command, input='\n'.join(paths), capture_output=True, text=True).stdout.splitlines()
  return [path for path in paths if path not in ignored]


def test_what_the_commands_of_readme_and_docs_write_is_ignored():
  pages = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'Makefile', *(ROOT / 'docs').glob('*.md')]
  pages += [*(ROOT / 'configs').glob('*.py'), *(ROOT / 'data_builders').glob('*/*.md')]
  names = {name.rstrip('.') for page in pages for name in WRITES.findall(page.read_text())}
  assert {'results', 'reanalysed', 'studies/new', 'runs/quickstart', 'data'} <= names
  names.add('corrected')  # of `ear_jax.edit` where nothing else is said
  written = sorted(name for name in names if not name.startswith(OURS) and name not in ('of', 'that'))
  # A folder is ignored with all that is in it; a file by its own name.
  assert kept([name if pathlib.Path(name).suffix else f'{name}/patient.png' for name in written]) == []


def test_pictures_of_patients_are_ignored_wherever_they_lie():
  names = (
    'IM0001.dcm',
    'IM0001.DCM',
    'a.IMA',
    'DICOMDIR',
    'a_video.nii',
    'a_video.nii.gz',
    'anna.h5',
    'anna.hdf5',
    'a.nc',
  )
  assert kept([f'tests/mine/{name}' for name in names]) == []


def test_the_project_itself_is_not():
  tracked = subprocess.run(['git', '-C', str(ROOT), 'ls-files'], capture_output=True, text=True, check=True)
  assert kept(tracked.stdout.splitlines()) == tracked.stdout.splitlines() != []
