"""Phase pictures as velocities: venc and scale of each, turned from the encoded directions into the picture."""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from ear_jax.cine import Cine, Venc, as_venc
from ear_jax.formats import checks
from ear_jax.formats.choices import Asked
from ear_jax.formats.dicom import geometry, instances, magnitude, pixels, velocity_tags
from ear_jax.formats.dicom.header import Instance
from ear_jax.formats.dicom.phase_slices import PhaseSlice, faulty
from ear_jax.formats.dicom.velocity_tags import Scale
from ear_jax.formats.faults import Fault

_OWN_AXES = 1e-4  # a direction that differs less from the picture's is one of its own
_SLOWEST = 5.0  # cm/s: a venc of less is one in m/s
_NEARLY = 0.02  # less: wraps are those of its own
_BEYOND = 1.02  # of venc: no phase reaches further, but for rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
  """A slice with its scales.

  Attributes:
    slice: magnitude and three encoded directions.
    turn: `[3, 3]`, what makes the channels of a cine of the encoded velocities.
    limits: venc of the encoded velocities, cm/s.
    scales: of each direction, frame by frame.
    venc: of the channels, cm/s.
  """

  slice: PhaseSlice
  turn: np.ndarray
  limits: Venc
  scales: tuple[tuple[Scale, ...], ...]
  venc: Venc

  @property
  def oblique(self) -> bool:
    """Whether the encoded directions are clearly others than the picture's."""
    return bool(np.abs(self.turn - np.rint(self.turn)).max() >= _NEARLY)


def measure(one: PhaseSlice, root: pathlib.Path, choices: Asked) -> tuple[Measured | None, list[Fault]]:
  """Returns a slice with venc and scale of each of its pictures, or None and what its tags do not say."""
  orientation = one.magnitude[0].orientation
  assert orientation  # `at_places` has kept others out
  across, down = np.reshape(orientation, (2, 3)).astype(float)
  apexward = np.cross(across, down) * (geometry.towards_apex(orientation) or 1)
  turn = np.array([across, down, apexward]) @ np.linalg.inv([direction.axis for direction in one.directions])
  if np.abs(turn - np.rint(turn)).max() < _OWN_AXES:
    turn = np.rint(turn)
  limits, scales, faults = [], [], []
  for number, direction in enumerate(one.directions):
    said = choices.settle('venc')
    asked = said[int(np.argmax(np.abs(turn[:, number])))] if said else None
    rules: dict[str, list[Instance]] = defaultdict(list)
    values: dict[float, list[Instance]] = defaultdict(list)
    own = []
    for picture in direction.pictures:
      try:
        limit = _limit(picture, asked)
        own.append(velocity_tags.scale(picture, limit))
        values[limit].append(picture)
      except ValueError as error:
        rules[str(error)].append(picture)
    if len(values) > 1:
      rules[f'venc differs between frames: {", ".join(f"{v:g}" for v in sorted(values))} cm/s'] += direction.pictures
    faults += [faulty(pictures, rule, root) for rule, pictures in rules.items()]
    limits += list(values)[:1]
    scales.append(tuple(own))
  if faults:
    return None, faults
  weights = np.rint(turn) if np.abs(turn - np.rint(turn)).max() < _NEARLY else turn
  return Measured(one, turn, as_venc(limits), tuple(scales), as_venc(np.abs(weights) @ limits)), []


def read_slice(one: Measured, *, dataset: str, slice_id: str, level: str = '') -> Cine:
  """Returns the cine `[T, H, W, 4]` of a measured slice: magnitude, velocities in cm/s, no reference."""
  first = one.slice.magnitude[0]
  assert first.shape
  video = np.empty((len(one.slice.magnitude), *first.shape, 4), np.float32)
  for t, frame in enumerate(video):
    video[t, ..., 0] = pixels.magnitude(one.slice.magnitude[t])[0]
    video[t, ..., 1:] = _fractions(one, t) * np.asarray(one.limits) @ one.turn.T
    if _own(one.turn):  # the phase is cyclic: turning the sign of -venc gives -venc again, not +venc
      limits = np.asarray(one.venc, np.float32)
      frame[..., 1:] -= 2 * limits * (frame[..., 1:] >= limits)
  return Cine(
    video=video,
    mask=np.zeros(video.shape[:3], np.uint8),
    annotated=np.zeros(len(video), bool),
    venc=one.venc,
    spacing=first.spacing or (np.nan, np.nan),
    frame_interval=one.slice.interval,
    subject=dataset,
    dataset=dataset,
    slice_id=slice_id,
    level=level,
    place=magnitude.place(first),
  )


def pixel_faults(one: Measured, root: pathlib.Path) -> Iterator[Fault]:
  """Yields a fault for each series whose pixels cannot be read, or are no phases of its venc."""
  whole = one.slice
  if rule := checks.size_rule((len(whole.magnitude), *(whole.magnitude[0].shape or ()), 4)):
    yield faulty(whole.magnitude, f'the slice {rule}', root)
    return
  broken: dict[str, list[Instance]] = {}
  for t, beside in enumerate(whole.magnitude):
    rules = [(beside, _rule(beside, (0.0, checks.BRIGHTEST), lambda one: pixels.magnitude(one)[0], beside))]
    if not rules[0][1]:
      for direction, scales in zip(whole.directions, one.scales, strict=True):
        picture = direction.pictures[t]
        rules.append((picture, _rule(picture, (-_BEYOND, _BEYOND), _fraction, picture, scales[t], beside)))
    for picture, rule in rules:
      if rule:
        broken.setdefault(rule, []).append(picture)
  for rule, pictures in broken.items():
    yield faulty(pictures, rule, root)


def _rule(picture: Instance, limits: tuple[float, float], read: Callable[..., np.ndarray], *arguments) -> str:
  """Returns what is wrong with the pixels of one picture, which `read` reads, or ''."""
  if picture.samples != 1 or picture.photometric not in ('MONOCHROME2', ''):
    return 'not a grey picture in which bright is high: export it as MONOCHROME2'
  try:
    values = read(*arguments)
  except Exception as error:  # pydicom's decoders raise errors of many kinds, and all mean the same to the user
    return f'pixels are not readable ({instances.reason(error)}): export the file again'
  if values.shape != picture.shape:
    return f'pixels have shape {values.shape}, the header says {picture.shape}'
  if limits[0] <= values.min() and values.max() <= limits[1]:
    return ''
  if limits[0] == 0:
    return 'magnitude is negative, or larger than any scanner writes'
  return 'phases reach beyond venc: the scale that the header states is not that of the pixels'


def _limit(picture: Instance, asked: float | None) -> float:
  """Returns the venc of a picture in cm/s; what the user says settles it where the header does not."""
  try:
    stated = velocity_tags.venc(picture)
  except ValueError as error:
    if asked is None:
      raise ValueError(f'{error}. --venc=20,20,30 settles it (cm/s along column, row and through the plane)') from None
    return asked
  if stated and stated < _SLOWEST and not (asked and _near(stated, asked)):
    if asked is None:
      rule = f'the header states a venc of {stated:g} cm/s, less than any scan of the heart has: is its unit another?'
      raise ValueError(f'{rule} --venc=20,20,30 settles it (cm/s along column, row and through the plane)')
    return asked
  if stated is None and asked is None:
    raise ValueError('venc is stated nowhere: give it, --venc=20,20,30 (cm/s along column, row and through the plane)')
  if stated and asked and not _near(stated, asked):
    raise ValueError(f'the header states a venc of {stated:g} cm/s, --venc {asked:g} cm/s')
  limit = stated or asked or 0.0
  if not 0 < limit <= checks.FASTEST:
    raise ValueError(f'venc is {limit:g} cm/s, expected a positive number up to {checks.FASTEST:g}')
  return limit


def _near(stated: float, asked: float) -> bool:
  return abs(stated - asked) <= max(0.51, 0.01 * stated)


def _fractions(one: Measured, t: int) -> np.ndarray:
  """Returns the encoded velocities `[H, W, 3]` of a frame as fractions of their venc."""
  fractions = [
    _fraction(direction.pictures[t], scales[t], one.slice.magnitude[t])
    for direction, scales in zip(one.slice.directions, one.scales, strict=True)
  ]
  return np.stack(fractions, -1)


def _fraction(picture: Instance, scale: Scale, beside: Instance) -> np.ndarray:
  stored = pixels.stored(picture)
  fraction = stored * scale.slope + scale.intercept
  if picture.padding is not None:
    fraction[(stored == picture.padding) & (np.abs(fraction) > _BEYOND)] = 0.0
  if scale.weighted:
    weight = pixels.stored(beside).astype(float)
    fraction = np.divide(fraction, weight, out=np.zeros_like(fraction), where=weight > 0)
  return fraction


def _own(turn: np.ndarray) -> bool:
  return bool((turn == np.rint(turn)).all())
