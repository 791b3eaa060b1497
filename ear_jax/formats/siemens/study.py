"""Velocity mapping as the Siemens sequence with parallel spirals stores it: five consecutive series a slice.

    MagAvg, PhaseZ, PhaseX, PhaseY, RefMag     one 12-bit single-frame file a series and frame

Velocity = (stored - 2048) / 2048 * venc; rescale tags are not applied. For the phase encoding direction COL the
pictures are X = -v_col, Y = +v_row, Z = +v_long; for ROW, X and Y are exchanged and all three signs turned. RefMag
may be missing: it is not read. Series are grouped by header, so a stray one shifts
nothing: `siemens_series` does that, `siemens_checks` has the rules that a slice must keep.
"""

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from ear_jax.cine import Cine, as_venc
from ear_jax.formats.checks import COUNTS, ZERO
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import geometry, instances, magnitude, pixels
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.faults import Fault
from ear_jax.formats.opened import Opened, differing, gathered
from ear_jax.formats.siemens.checks import FRAMES, Slice, check
from ear_jax.formats.siemens.series import fault, group
from ear_jax.formats.source import Source

_PICTURES = {  # of v_col, v_row, v_long: (index among PhaseZ, PhaseX, PhaseY, sign)
  'COL': ((1, -1), (2, +1), (0, +1)),
  'ROW': ((2, +1), (1, -1), (0, -1)),
}


def open_study(files: Sequence[Instance], root: pathlib.Path, choices: Asked) -> Opened:
  """Looks over one study, pixels included, and returns it with its notes and faults, slices from base to apex."""
  dataset = instances.pseudonym(files[0].study)
  groups, notes, faults_of_groups = group(files, root)
  slices = []
  for five in groups:
    one, faults = check(five, root)
    faults_of_groups += faults or _flag_faults(one, root, choices)
    if one:
      slices.append(one)
  faults_of_groups += _count_faults(slices, root)
  direction = _direction([one.series[0][0] for one in slices])
  slices.sort(key=lambda one: one.position * (direction or 1))
  if slices and not direction:
    notes.append('which end of the stack is the base is not known: slices are in the order of their position')
  levels = geometry.levels(len(slices)) if direction else [''] * len(slices)
  ids = tuple(f'slice-{k:02d}' for k in range(len(slices)))
  frames = len(slices[0].series[0]) if slices else FRAMES
  if frames != FRAMES:
    notes.append(f'{frames} frames a series instead of {FRAMES}')

  def cines(which: slice) -> Iterator[tuple[Cine, Source]]:
    for one, name, level in list(zip(slices, ids, levels, strict=True))[which]:
      source = Source(
        instances=tuple(file.path for file in one.series[0]),
        position=one.position,
        orientation=one.series[0][0].orientation,
        frames=tuple(file.frame for file in one.series[0]),
        notes=(*notes, *one.notes),
      )
      yield read_slice(one, dataset=dataset, slice_id=name, level=level), source

  notes += magnitude.contradictions([one.series[0][0] for one in slices])
  notes += differing('phase encoding direction', (one.direction for one in slices))
  every = (*notes, *gathered({name: one.notes for name, one in zip(ids, slices, strict=True)}))
  return Opened(dataset, ids, every, tuple(sorted(faults_of_groups)), root, cines)


def read_slice(one: Slice, *, dataset: str, slice_id: str, level: str = '') -> Cine:
  """Returns the cine `[T, H, W, 4]` of a checked slice: magnitude as stored, velocities in cm/s, no reference."""
  files = one.series[:4]
  video = np.empty((len(files[0]), *one.shape, 4), np.float32)
  wanted = _PICTURES[one.direction]
  for t in range(len(video)):
    video[t, ..., 0] = pixels.stored(files[0][t])
    for channel, (picture, sign) in enumerate(wanted, start=1):
      stored = pixels.stored(files[1 + picture][t]).astype(np.int32)
      # The phase is cyclic: turning the sign of -venc gives -venc again, not +venc.
      phase = np.mod(sign * (stored - ZERO) + ZERO, COUNTS) - ZERO
      video[t, ..., channel] = phase * (one.venc[picture] / ZERO)
  return Cine(
    video=video,
    mask=np.zeros(video.shape[:3], np.uint8),
    annotated=np.zeros(len(video), bool),
    venc=as_venc(one.venc[picture] for picture, _ in wanted),
    spacing=one.spacing,
    frame_interval=one.interval,
    subject=dataset,
    dataset=dataset,
    slice_id=slice_id,
    level=level,
    place=magnitude.place(files[0][0]),
  )


def _direction(first: list[Instance]) -> int:
  """Returns +1 or -1 as positions grow towards apex or base, 0 when any slice does not tell or they disagree."""
  directions = {geometry.towards_apex(file.orientation) if file.corner else 0 for file in first}
  return directions.pop() if len(directions) == 1 else 0


def _flag_faults(one: Slice | None, root: pathlib.Path, choices: Asked) -> list[Fault]:
  """Returns a fault where the user says another venc than the protocol text."""
  if one is None or not (asked := choices.settle('venc')):
    return []
  stated = tuple(one.venc[picture] for picture, _ in _PICTURES[one.direction])
  if stated == asked:
    return []
  texts = (', '.join(f'{v:g}' for v in values) for values in (stated, asked))
  return [fault(one.series[0], root, 'the protocol text states a venc of {} cm/s, --venc {}'.format(*texts))]


def _count_faults(slices: list[Slice], root: pathlib.Path) -> list[Fault]:
  counts = [len(one.series[0]) for one in slices]
  usual = max(set(counts), key=lambda count: (counts.count(count), count), default=0)
  return [
    fault(one.series[0], root, f'{count} frames, the other slices have {usual}: export the series of this slice again')
    for one, count in zip(slices, counts, strict=True)
    if count != usual
  ]
