"""Analyses one study: its slices one after another, and the folder of results that it leaves."""

import dataclasses
import datetime
import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
from absl import logging
from rich.console import Console

import ear_jax
from ear_jax.analysis import origin, uncertainty
from ear_jax.analysis.checks_of_study import Check, check_alike, check_markers, check_study, worst
from ear_jax.analysis.deformation import Deformation, deform
from ear_jax.analysis.motion import SliceMotion
from ear_jax.analysis.outline import withhold
from ear_jax.analysis.stack import check_end_systole, check_stack
from ear_jax.analysis.volumes import Volumes, volumes
from ear_jax.analysis.volumes import withheld as without_volumes
from ear_jax.cine import Study
from ear_jax.formats.opened import Opened, of_study
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import Network
from ear_jax.report import curves as curves_figure
from ear_jax.report import deformation as deformation_files
from ear_jax.report import figures, page_numbers, reference
from ear_jax.report import volumes as volume_files
from ear_jax.report.page import write_page
from ear_jax.report.results import write_results
from ear_jax.system.clock import Clock
from ear_jax.system.errors import UserError, some
from ear_jax.system.files import require_writable, write_text
from ear_jax.system.terminal import tracked
from ear_jax.workflows.examine import Examined, Options, at_an_end, conventions, examine, find_ends


class NoContours(UserError):
  """A study has no contours, and no network is given that could make some."""


def predict(
  study: Opened | Study,
  output: str | os.PathLike,
  networks: Network | Sequence[Network],
  options: Options | None = None,
  *,
  pseudonym: str | None = None,
  force: bool = False,
  console: Console | None = None,
  made_by: Mapping[str, str] | None = None,
) -> dict:
  """Analyses one study, writes its files into `output` and returns what `summary.json` holds.

  Args:
    study: of `open_studies`, or in memory.
    output: folder to write.
    networks: one, or several to be averaged; none where the cines have contours by a person (`formats.references`):
      slices without are then left out, and said.
    options: what is asked for; None: nothing special.
    pseudonym: name of the study in all outputs; None: the study's own.
    force: give curves even where the quality gate fails the study.
    console: where progress is shown; None: on stderr.
    made_by: what else the results say of contours that came with the cines; None: nothing.

  Raises: MalformedStudy when it cannot be read; UserError when it cannot be delineated, or `output` cannot be written.

  >>> study = ear_jax.open_studies('STUDY')[0]  # or a study in memory
  >>> summary = ear_jax.predict(study, 'results', ear_jax.load_network('ear3d-phantom'))
  >>> [one['slice'] for one in summary['slices']]
  ['slice-00', 'slice-01', 'slice-02']
  """
  opened = of_study(study) if isinstance(study, Study) else study
  networks = [networks] if isinstance(networks, Network) else networks
  output, options = pathlib.Path(output), options or Options()
  clock, slices, notes, stated, undrawn = Clock(), [], list(opened.notes), [], []
  name = pseudonym or opened.dataset
  cines = opened.read()
  require_writable(output, f'{name}: results')  # before the work, as what follows
  require_frames(opened, options)
  if networks and options.axes is None:
    axes, said = recognise(opened.__getitem__, len(opened), networks[0])
    options = dataclasses.replace(options, axes=axes)
    notes += [said] if said else []
  for slice_id in tracked(opened.slices, f'{name}: slices', len(opened.slices), console):
    with clock.measure('read'):
      cine, source = next(cines)
      source = source.at(cine.place)
    if not networks and not cine.annotated.any():
      undrawn.append(slice_id)
      continue
    cine = cine.replace(dataset=name, subject=name)
    slices.append(examine(cine, source, networks, options, clock))
    if len(slices) == 1:  # the first slice settles the conventions for all
      settled = slices[0].result.motion.settings
      stated = conventions(options, source, settled)
      options = dataclasses.replace(options, settings=settled, auto_orientation=False, auto_signs=False)
    del cine
    logging.debug('%s: done', slice_id)
  if not slices:
    raise NoContours(f'{name}: there are no contours for any slice, and no --checkpoint is given')
  notes += left_out(undrawn)
  ends, doubt = find_ends(slices, given=not networks)
  for k, end in ends.items():
    slices[k] = at_an_end(slices[k], end)
  stated += [Check('ventricle', '', 'warn', doubt)] if doubt else []
  motions = [one.result.motion for one in slices]
  checks, withheld, deformed = gate(motions, [check for one in slices for check in one.checks], notes, stated, force)
  stack = _volumes(name, slices, options)
  if withheld:
    stack = without_volumes(stack, 'the study failed its quality gate; --force gives them anyway')
  if deformed and deformed.contradiction and not stack.missing:
    stack = without_volumes(stack, deformed.contradiction)
  told = deformation_files.tell(deformed) if deformed else None
  versions = _versions(slices, made_by)
  summary = _summary(name, slices, checks, versions, withheld) | {'volumes': volume_files.summary(stack)}
  beside = reference.tell({one.page.label: one.beside for one in slices if one.beside is not None})
  summary |= {'reference': beside} if beside else {}
  summary |= {'deformation': told.rows, 'segments': told.segments, 'deformation_notes': told.notes} if told else {}
  try:
    for stale in ('summary.json', 'edits.json'):  # what is half written has none; edits were of the contours before
      (output / stale).unlink(missing_ok=True)
    logging.info('%s: writing results', name)
    with clock.measure('write'):
      _write(output, name, slices, checks, versions, stack, deformed, told, beside)
    summary['cost'] = clock.table()
    write_text(output / 'summary.json', json.dumps(summary, indent=2))
  except Exception as fault:  # the libraries that write name a full disk in ways of their own
    require_writable(output, f'{name}: results')
    if not isinstance(fault, OSError):
      raise
    raise UserError(f'{name}: results cannot be written to {output} ({fault.strerror or fault})') from fault
  return summary


def require_frames(opened: Opened, options: Options) -> None:
  """Reads how many frames a study has, and raises UserError where it lacks one that is asked for."""
  asked = {'ed_frame': options.ed_frame, 'es_frame': options.es_frame}
  given = {name: frame for name, frame in asked.items() if frame is not None}
  if not given:
    return
  frames = min(len(cine.video) for cine, _ in opened.read())
  for name, frame in given.items():
    if not 0 <= frame < frames:
      raise UserError(f'--{name}={frame}: {opened.dataset} has frames 0 to {frames - 1}: give one of these')


def left_out(undrawn: Sequence[str]) -> list[str]:
  """Returns the note of slices that have neither contours nor a network."""
  return [f'{some(undrawn)}: no contours are drawn, and no network is given: left out'] * bool(undrawn)


class Gate(NamedTuple):
  """What the quality gate says of a study; whether its curves are withheld; its deformation, where they are not."""

  checks: list[Check]
  withheld: bool
  deformed: Deformation | None


def gate(
  motions: Sequence[SliceMotion], own: Sequence[Check], notes: Sequence[str], stated: Sequence[Check], force: bool
) -> Gate:
  """Returns the verdict on a study, here and in the editor.

  Args:
    motions: its slices, those beyond the ventricle without contours.
    own: the checks of each of them.
    notes: what the reader had to decide, and what was left out.
    stated: of `conventions`.
    force: curves are given even where a check fails.
  """
  cines = [(one.name.rpartition('/')[2], len(one.mask), one.frame_interval) for one in motions]
  checks = [*stated, *check_study(cines, notes), *check_stack(motions), *check_end_systole(motions)]
  checks += [*check_alike(motions), *check_markers(motions), *own]
  withheld = worst(checks) == 'fail' and not force
  deformed = deform(motions) if any(one.venc for one in motions) and not withheld else None
  if deformed and deformed.contradiction:
    checks.append(Check('slice distance', '', 'warn', deformed.contradiction))
  return Gate(checks, withheld, deformed)


def _volumes(name: str, slices: Sequence[Examined], options: Options) -> Volumes:
  motions = [one.result.motion for one in slices]
  try:
    return volumes(motions, ed_frame=options.ed_frame, es_frame=options.es_frame)
  except ValueError as fault:
    raise UserError(f'{name}: {fault}') from fault


def _write(
  output, name, slices: Sequence[Examined], checks, versions, stack: Volumes, deformed: Deformation | None, told, beside
):
  curves = deformed is not None
  together = {one.name: one for one in deformed.motions} if deformed else {}
  results = [one.result for one in slices]
  results = [dataclasses.replace(one, motion=together.get(one.motion.name, one.motion)) for one in results]
  if not curves:
    results = [dataclasses.replace(one, motion=withhold(one.motion)) for one in results]
  write_results(output, name, results, curves=curves)
  volume_files.write(output, name, stack)
  deformation_files.write(output, name, deformed)
  if curves:
    pairs = [(one.motion, examined.page.reference) for one, examined in zip(results, slices, strict=True)]
    figures.save_each(curves_figure.figure(pairs, title=name), output, curves_figure.FILES)
  else:
    for file in curves_figure.FILES:
      (output / file).unlink(missing_ok=True)
  write_page(
    output / 'report.html',
    pseudonym=name,
    slices=[one.page for one in slices],
    checks=checks,
    settings=page_numbers.conventions(results[0].motion.settings),
    versions=versions,
    withheld=not curves,
    volumes=stack,
    deformation=told,
    beside=beside,
    date=datetime.date.today(),
  )


def _summary(name, slices, checks: Sequence[Check], versions, withheld) -> dict:
  def given(one: Examined) -> bool:
    return one.page.sheets.venc is not None and not withheld

  return {
    'study': name,
    'verdict': worst(checks),
    'curves_withheld': withheld,
    'slices': [
      {
        'slice': one.page.label,
        'level': one.page.level,
        'contours': origin.in_words([one.result.motion.contours]),
        'frames': one.page.frames,
        'frame_interval_ms': None if math.isnan(one.page.frame_interval) else one.page.frame_interval,
        'venc_cm_s': one.result.motion.venc,
        'spacing_mm': [None if math.isnan(v) else v for v in one.page.spacing],
        'image_orientation': one.result.source.orientation,
        'sectors': one.result.motion.settings.orientation,
        'holds_ventricle': not one.result.motion.contours.failed.all(),
        'expected_dice': round(one.expected.dice, 4),
        'expected_dice_by_frame': page_numbers.numbers(one.expected.by_frame.round(4)),
        'evidence': {name: round(value, 4) for name, value in one.expected.evidence.items()},
        'wraps': one.result.motion.wraps,
        'markers': page_numbers.markers(one.result.motion)['global'][0] if given(one) else [],
        'intervals': uncertainty.said(one.result.motion) if given(one) else '',
      }
      for one in slices
    ],
    'checks': [dataclasses.asdict(check) for check in checks],
    'settings': dataclasses.asdict(slices[0].result.motion.settings),
    'versions': versions,
  }


def _versions(slices: Sequence[Examined], made_by: Mapping[str, str] | None) -> dict[str, str]:
  contours = [one.result.motion.contours for one in slices]
  networks = dict.fromkeys(network for one in contours for network in one.networks)
  named = {f'network {i}': text for i, text in enumerate(networks, start=1)}
  untouched = all({*one.origins} <= {'network'} and one.networks for one in contours)
  by = {} if untouched else {'contours': origin.in_words(contours)}
  return {'ear_jax': ear_jax.__version__, 'jax': jax.__version__, **named, **by, **(made_by or {})}
