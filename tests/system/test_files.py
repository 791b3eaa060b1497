"""Whether a folder can be written is known before the work; case B7."""

import os
import subprocess

import pytest

from ear_jax.system.errors import UserError
from ear_jax.system.files import require_writable

root = pytest.mark.skipif(os.name != 'posix' or os.geteuid() != 0, reason='only root mounts file systems')


@pytest.fixture
def mounted(tmp_path):
  """Mounts tmpfs of a size with more options; a machine that forbids it skips the test."""
  places = []

  def mount(*options):
    (place := tmp_path / f'mount{len(places)}').mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(options), 'tmpfs', place], capture_output=True)
    if done.returncode:
      pytest.skip('mounting is forbidden here')
    places.append(place)
    return place

  yield mount
  for place in places:
    subprocess.run(['umount', place], check=True)


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
  require_writable(tmp_path / 'a/b', 'results')
  assert list((tmp_path / 'a').iterdir()) == []
  (tmp_path / 'a/mine').touch()
  require_writable(tmp_path / 'a', 'results')
  assert [path.name for path in (tmp_path / 'a').iterdir()] == ['mine']


def test_a_file_in_the_way(tmp_path):
  (tmp_path / 'out').write_text('mine')
  for folder in (tmp_path / 'out', tmp_path / 'out/study'):
    with pytest.raises(UserError, match=r'^results cannot be written to .*out.*another folder$'):
      require_writable(folder, 'results')
  assert (tmp_path / 'out').read_text() == 'mine'


@root
@pytest.mark.parametrize(('options', 'reason'), [(('size=300k',), 'No space left'), (('ro',), 'Read-only')])
def test_a_full_disk_and_a_read_only_one(mounted, options, reason):
  place = mounted(*options)
  with pytest.raises(UserError, match=reason):
    require_writable(place / 'study', 'results')
  assert [path for path in place.rglob('*') if path.is_file()] == []
