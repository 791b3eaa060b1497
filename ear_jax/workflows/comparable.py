"""Which studies can be compared: those with curves that the quality gate let through, of one convention and level."""

from collections.abc import Sequence
from typing import Any

from ear_jax.formats.result_folder import Results
from ear_jax.scoring.cohort import LEVELS
from ear_jax.system.errors import UserError, some

# What makes numbers of two studies different things. `signs` is not among them: they bring a scanner's pictures to one
# convention, and differ where scanners do.
_CONVENTIONS = (
  'orientation', 'circumferential_sign', 'remove_mean', 'unwrap', 'smooth_contours', 'border', 'view_sharing'
)  # fmt: skip
_LIKE = 1.5  # times as many frames of a cycle


def usable(studies: Sequence[Results], failed: bool, of: str = '') -> tuple[list[Results], list[str]]:
  """Returns the studies that have curves and did not fail the gate, and a note for each kind of those left out.

  Args:
    studies: all.
    failed: take those that failed and have curves.
    of: whose studies they are, for the notes: ' of the normal group'.
  """
  out = {
    'magnitude only, without velocities': [s.study for s in studies if s.curves is None and not s.withheld],
    'the quality gate failed and curves are withheld': [s.study for s in studies if s.curves is None and s.withheld],
  }
  bad = [s.study for s in studies if s.curves is not None and s.verdict == 'fail']
  notes = []
  if not failed:
    out['the quality gate failed (--failed takes those that have curves)'] = bad
  elif bad:
    notes.append(f'{len(bad)} of {len(studies)} studies{of} taken though the quality gate failed: {some(bad)}')
  every = f'of {len(studies)} studies{of}'
  notes += [f'{len(names)} {every} left out, {why}: {some(names)}' for why, names in out.items() if names]
  left = {name for names in out.values() for name in names}
  warned = [s.study for s in studies if s.verdict == 'warn' and s.study not in left]
  if warned:
    notes.append(f'{len(warned)} {every} compared though the quality gate warns: {some(warned)}')
  return [one for one in studies if one.study not in left], notes


def one_convention(studies: Sequence[Results], *, refuse: bool) -> list[str]:
  """Returns a note for each setting of the analysis in which studies differ, so that their numbers do not compare.

  Raises: UserError instead, with both values, where `refuse` is set.
  """
  notes = []
  for name in _CONVENTIONS:
    seen: dict[Any, list[str]] = {}
    for one in studies:
      seen.setdefault(one.settings.get(name), []).append(one.study)
    if len(seen) > 1:
      told = '; '.join(f'{value} in {some(names)}' for value, names in seen.items())
      if refuse:
        raise UserError(
          f'{name} of the analyses differs: {told}. Their numbers are different things: run ear_jax.predict with one '
          'setting, or compare those of one setting'
        )
      notes.append(f'{name} of the analyses differs: {told}: look at numbers of one setting only')
  return notes


def one_origin(studies: Sequence[Results]) -> list[str]:
  """Returns notes where contours are of several networks or versions, or frames so unlike that peaks are lower."""
  by: dict[str, list[str]] = {}
  for one in studies:
    made = sorted(value for key, value in one.versions.items() if key not in ('jax', 'ear_jax'))
    by.setdefault(f'{", ".join(made)} (ear_jax {one.versions.get("ear_jax")})', []).append(one.study)
  told = '; '.join(f'{who}: {some(names)}' for who, names in by.items())
  notes = [f'contours are not of one origin, which alone may make a difference: {told}'] * (len(by) > 1)
  frames = {slice_['frames']: one.study for one in studies for slice_ in one.slices}
  if frames and max(frames) > _LIKE * min(frames):
    fewest, most = min(frames), max(frames)
    known = f'{fewest} in {frames[fewest]} and {most} in {frames[most]}'
    notes.append(f'frames of a cycle differ, {known}: where they are few, peaks are lower')
  return notes


def common_levels(studies: Sequence[Results], chosen: tuple[str, ...]) -> tuple[str, ...]:
  """Returns the levels at which studies are compared: those `chosen`, else those of every study.

  Raises: UserError when a study lacks one that is chosen, or, without a choice, studies have different ones.
  """
  has: dict[str, tuple[str, ...]] = {}
  for one in studies:
    known = set() if one.curves is None else set(one.curves['level'][one.curves['velocity_cm_s'].notna()])
    has[one.study] = tuple(level for level in LEVELS if level in known)
    if lacking := [level for level in chosen if level not in known]:
      raise UserError(
        f'{one.study} has no slice of level {some(lacking)} (it has {_told(has[one.study])}): ask for other --levels, '
        'or leave it out of the files'
      )
  different = {levels: study for study, levels in has.items()}
  if not chosen and len(different) > 1:
    told = '; '.join(f'{study} has {_told(levels)}' for levels, study in different.items())
    raise UserError(f'studies have different levels: {told}. Choose those that all have, such as --levels=mid')
  return chosen or next(iter(different), ())


def require_strain(studies: Sequence[Results]) -> None:
  """Raises: UserError when a study has no strain.csv."""
  if lacking := [one.study for one in studies if one.strain is None]:
    raise UserError(f'{some(lacking)}: no strain.csv: run ear_jax.predict again, or compare without --strain')


def _told(levels: Sequence[str]) -> str:
  return ', '.join(level or 'one that is not stated' for level in levels) or 'none'
