"""Checksums beside checkpoints: a truncated or changed file is found before it is read, not after it was trained on.

`checkpoints/420.sha256` lists the files of checkpoint 420 as `sha256sum` does; `sha256sum -c 420.sha256` checks it by
hand. A checkpoint becomes visible when it is whole and gets its list a moment later; one without a list (of an older
version, or of a run killed in that moment) counts as sound.
"""

import hashlib
import itertools
import pathlib

from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text

_SUFFIX = '.sha256'
_ASIDE = 'damaged_checkpoints'


def saved_steps(folder: pathlib.Path) -> list[int]:
  """Returns the steps of the checkpoints under `folder`, ascending."""
  return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal()) if folder.is_dir() else []


def write_checksums(folder: pathlib.Path, step: int) -> None:
  """Writes the list of checkpoint `step`, and removes those of checkpoints that are no longer kept."""
  files = sorted(path for path in (folder / str(step)).rglob('*') if path.is_file())
  lines = (f'{_digest(path)}  {path.relative_to(folder).as_posix()}\n' for path in files)
  write_text(folder / f'{step}{_SUFFIX}', ''.join(lines))
  for path in folder.glob(f'*{_SUFFIX}'):
    if not (folder / path.stem).exists():
      path.unlink(missing_ok=True)


def find_damage(folder: pathlib.Path, step: int) -> str | None:
  """Returns in words what is wrong with checkpoint `step`; None when all of its files are as they were written."""
  path = folder / f'{step}{_SUFFIX}'
  if not path.exists():
    return None
  lines = [line.partition('  ') for line in path.read_text(errors='replace').splitlines()]
  if not lines or not all(len(digest) == 64 and name for digest, _, name in lines):
    return f'{path.name} is no list of checksums'
  for digest, _, name in lines:
    if not (folder / name).is_file():
      return f'{name} is missing'
    if _digest(folder / name) != digest:
      return f'{name} is not as it was written'
  return None


def set_damaged_aside(folder: pathlib.Path) -> list[str]:
  """Moves damaged checkpoints out of the way of a run that goes on from a sound one; returns a sentence for each.

  They go to `damaged_checkpoints` beside `folder`, with their lists.

  Raises: UserError when there are checkpoints and none is sound: beginning anew would throw the run away.
  """
  steps = saved_steps(folder)
  damage = {step: reason for step in steps if (reason := find_damage(folder, step))}
  if not damage:
    return []
  sound = [step for step in steps if step not in damage]
  words = '; '.join(f'{step}: {reason}' for step, reason in damage.items())
  if not sound:
    raise UserError(
      f'no checkpoint in {folder} is sound ({words}): bring them back from a copy, or begin anew in a new --workdir'
    )
  aside = folder.parent / _ASIDE
  aside.mkdir(exist_ok=True)
  for step in damage:
    names = (f'{step}.{count}' if count > 1 else f'{step}' for count in itertools.count(1))
    place = next(aside / name for name in names if not (aside / name).exists())
    (folder / str(step)).rename(place)
    (folder / f'{step}{_SUFFIX}').rename(place.with_name(f'{place.name}{_SUFFIX}'))
  return [
    f'checkpoint {step} is damaged ({reason}) and was moved to {aside}; checkpoint {sound[-1]} is sound'
    for step, reason in damage.items()
  ]


def _digest(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
