"""The folder of results of an evaluation: numbers, tables and pictures, from scored frames in one call."""

import os
import pathlib
from collections.abc import Iterable, Mapping

import pandas as pd

from ear_jax.report import figures, tables
from ear_jax.report.agreement import brief, write_agreement
from ear_jax.report.figures import Case
from ear_jax.report.volume_agreement import write_volume_agreement
from ear_jax.scoring.aggregate import hierarchy, summarise
from ear_jax.scoring.agreement_summary import Rows
from ear_jax.system.csv_files import write_csv
from ear_jax.system.files import write_text
from ear_jax.system.table import document


def extremes(rows: pd.DataFrame) -> dict[str, tuple[str, float]]:
  """Returns the best, median and worst cine by its mean Dice over frames.

  Of an even number of cines the median is the lower of the middle two; equal scores are ordered by name. Two cines
  are best and worst, a single one is best.

  Args:
    rows: one row per frame, from `cine_metrics`.

  Returns:
    Role ('best', 'median', 'worst') to name ('dataset/slice') and mean Dice; empty when no frame can be scored.
  """
  slices = hierarchy(rows).slices
  names = slices['dataset'] + '/' + slices['slice_id']
  ranked = sorted(zip(slices['dice'].tolist(), names, strict=True))
  if not ranked:
    return {}
  roles = {'best': ranked[-1]}
  if len(ranked) > 2:
    roles['median'] = ranked[(len(ranked) - 1) // 2]
  if len(ranked) > 1:
    roles['worst'] = ranked[0]
  return {role: (name, dice) for role, (dice, name) in roles.items()}


def write_report(
  output_dir: str | os.PathLike,
  rows: pd.DataFrame,
  cases: Iterable[Case],
  manifest: Mapping,
  *,
  curves: Rows | None = None,
  stacks: pd.DataFrame | None = None,
  seed: int = 0,
) -> dict:
  """Writes all files of an evaluation into `output_dir` and returns the summary.

  The files: per_frame.csv, per_subject.csv, summary.md; result.png (best, median and worst cine side by side),
  best.png, median.png, worst.png (ten frames of each), dice_against_frame.png; and metrics.json, which comes last, so
  that a folder with it is complete.

  Args:
    output_dir: is made if needed; files of the same names are replaced.
    rows: one row per frame, from `cine_metrics`, of all cines.
    cases: pictures and masks of the cines, in any order. Only those that are drawn are kept, and no more is asked of
      an iterator once they are found. `extremes` tells beforehand which they are.
    manifest: versions, checkpoint, split and the like; strict JSON, stored under 'manifest'. Its 'window', what the
      network saw of each picture, is a note too.
    curves: agreement of the velocity curves of the same cines, written by `agreement.write_agreement`.
    stacks: of `volume_agreement.agree`, of the same cines, written by `write_volume_agreement`.
    seed: of the bootstrap.

  Returns:
    What metrics.json holds: `aggregate.summarise`, 'cines' (role to name and Dice), 'notes', 'manifest' and, with
    `curves`, 'agreement' (`agreement.brief`), with `stacks`, 'volumes'.

  Raises:
    ValueError: the rows cannot be averaged, a cine that is to be drawn is not among `cases`, or the manifest holds NaN;
      nothing has been written then.
  """
  output = pathlib.Path(output_dir)
  summary = summarise(rows, seed=seed)
  roles = extremes(rows)
  cines = {role: {'name': name, 'dice': dice} for role, (name, dice) in roles.items()}
  remarks = tables.notes(summary) + [f'Window: {manifest.get("window")}.'] * ('window' in manifest)
  content = {**summary, 'cines': cines, 'notes': remarks, 'manifest': dict(manifest)}
  tables.strict_json(content)
  cases_of_roles = _find(
    cases, {name for name, _ in roles.values()}
  )  # the last that can be refused: from here on it is written
  (output / 'metrics.json').unlink(missing_ok=True)
  write_csv(output / 'per_frame.csv', tables.per_frame_table(rows))
  write_csv(output / 'per_subject.csv', tables.per_subject_table(rows))
  write_text(output / 'summary.md', document('Evaluation', tables.text_tables(summary), content['notes']))
  _write_pictures(output, rows, roles, cases_of_roles)
  if curves is not None:
    content['agreement'] = brief(write_agreement(output, curves, seed=seed))
  if stacks is not None:
    content['volumes'] = write_volume_agreement(output, stacks, seed=seed)
  write_text(output / 'metrics.json', tables.strict_json(content))
  return content


def _find(cases: Iterable[Case], names: set[str]) -> dict[str, Case]:
  by_name = {}
  for case in cases:
    if case.cine.name in names:
      by_name[case.cine.name] = case
      if len(by_name) == len(names):
        return by_name
  raise ValueError(f'no pictures for {", ".join(sorted(names - set(by_name)))}: pass the cines that were scored')


def _write_pictures(
  output: pathlib.Path, rows: pd.DataFrame, roles: Mapping[str, tuple[str, float]], cases: Mapping[str, Case]
) -> None:
  labelled = {}
  for role, (name, dice) in roles.items():
    dataset, slice_id = name.split('/', 1)  # a line each: ids of hospital exports are long
    labelled[f'{role}, Dice {dice:.2f}\n{dataset}\n{slice_id}'] = cases[name]
  figures.save(figures.result_figure(labelled), output / 'result.png')
  for role in ('best', 'median', 'worst'):
    path = output / f'{role}.png'
    if role in roles:
      name, dice = roles[role]
      figures.save(figures.cine_overview(cases[name], title=f'{role}: {name}, mean Dice {dice:.2f}'), path)
    else:
      path.unlink(missing_ok=True)  # of an earlier evaluation with more cines, in the same folder
  figures.save(figures.dice_against_frame(rows), output / 'dice_against_frame.png')
