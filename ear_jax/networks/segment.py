"""A trained network, and what it does: any cine to the probability of myocardium on the cine's own grid.

A network knows pictures of one pixel spacing, one extent and one number of frames a cycle. Here a cine of any matrix,
spacing and frame count is brought to them and the answer brought back: the heart is found first, a window about it is
resampled, and the frames are divided into interleaved cycles of the network's length, so that no frame is interpolated.
Several networks (the folds of a cross-validation) are averaged. Pure of files and flags.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import FrozenConfigDict
from skimage.transform import resize

from ear_jax.cine import Cine, crop, crop_or_pad, resample
from ear_jax.data.splits import Split
from ear_jax.data.upright import Axes, Turn, as_axes, axes_of, picture_turned, turn_between, turned, undone
from ear_jax.networks.heart import heart_centres
from ear_jax.networks.inference import Predictor, to_mask
from ear_jax.networks.weights import names, names_for
from ear_jax.system.errors import UserError

_MOVES = 3  # times the window follows what was delineated
_STILL = 0.04  # of the window's extent: a move that is too small to matter


class Picture(NamedTuple):
  """What pictures a network was trained on.

  Attributes:
    frames: of a cycle.
    spacing: mm along row and column; None: unknown, no resampling.
    size: rows and columns of the whole picture, before the window was cut.
    axes: directions in the patient of increasing column and row; None: unknown, nothing is turned.
    heart: what the heart and its surroundings look like (`data.upright.portrait`); None: not recorded.
  """

  frames: int
  spacing: tuple[float, float] | None
  size: tuple[int, int]
  axes: Axes | None = None
  heart: Sequence | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Delineation:
  """What the networks say about one cine.

  Attributes:
    probability: `[T, H, W]` float32 of myocardium, 0 outside the window.
    uncertainty: `[T]`, the expected 1 - Dice of each frame if the probabilities are right; 1 where nothing was found.
    centre: (row, column) of the window in pixels.
  """

  probability: np.ndarray
  uncertainty: np.ndarray
  centre: tuple[float, float]

  def __repr__(self) -> str:
    return f'Delineation({self.probability.shape}, expected 1 - Dice {self.uncertainty.mean():.2f})'

  @property
  def mask(self) -> np.ndarray:
    """`[T, H, W]` uint8."""
    return to_mask(self.probability)

  def __array__(self, dtype=None, copy=None) -> np.ndarray:
    """Returns the probability, so that a delineation stands wherever a mask may: in `analyse`, in numpy."""
    return np.array(self.probability, dtype, copy=copy)


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
  """A trained network on its devices, or several that were exported together; `load_network` returns it.

  Attributes:
    source: the run, file or name that it was loaded from.
    config: of its run; of an exported network without the places of files.
    step: training steps that it has had.
    manifest: of its run (`training.manifest`); of an exported network what was kept of it.
    split: the subjects of its run; None for an exported network, which states no subjects.
    variables: parameters and statistics as the modules of `build_model` name them; of several, the first one's.
    predict: `predict(cines, tta=None)` yields (cine, probability `[T, H, W]`) for cines like those of training, whose
      heart is in the middle; see `inference.make_predictor`.
  """

  source: str
  config: FrozenConfigDict
  step: int
  manifest: Mapping
  split: Split | None
  variables: Mapping
  predict: Predictor

  def __repr__(self) -> str:
    return f'Network({self.source}: {self.name})'

  @property
  def name(self) -> str:
    """What reports call it."""
    return f'{self.config.model.name}, step {self.step}, configuration {self.manifest["config_hash"]}'

  @property
  def told(self) -> str:
    """What results say of it: its name, and what it was trained on. No path, which may hold a name of a person."""
    called = f'{self.source}: {self.name}' if self.source in names() else self.name
    return f'{called}, trained on {self.trained_on}'

  @property
  def trained_on(self) -> str:
    """The data sets that it learnt from, and whether these were phantoms alone."""
    data = self.config.data
    sets = [name for name in (data.name, *data.get('also', '').split(',')) if name]
    alone = ' (phantoms alone: it knows no patient)' if all('phantom' in name for name in sets) else ''
    return f'{" and ".join(sets)}{alone}'

  def picture(self) -> Picture:
    """Returns what pictures it was trained on; raises UserError when its run is too old to say."""
    said = self.manifest.get('training_picture')
    if said is None:
      raise UserError(f'{self.source} does not say what pictures it was trained on: run its training command again')
    axes, heart = said.get('axes'), said.get('heart')
    spacing, size = said['spacing'] and tuple(said['spacing']), tuple(said['size'])
    return Picture(said['frames'], spacing, size, axes and as_axes(axes), heart)

  def segment(self, cine: Cine, *, tta: bool = False) -> Delineation:
    """Returns the delineation of any cine by this network alone, see `segment`.

    >>> cine = ear_jax.phantom_study()[1]
    >>> found = ear_jax.load_network('ear3d-phantom').segment(cine)
    >>> 2 * int((found.mask & cine.mask).sum()) / int((found.mask + cine.mask).sum()) > 0.8  # Dice
    True
    """
    return segment(cine, [self], tta=tta)


def segment(cine: Cine, networks: Sequence[Network], *, tta: bool = False, axes: Axes | None = None) -> Delineation:
  """Returns the delineation of a cine of any matrix, spacing and frame count by the mean of some networks.

  Each network sees the cine as its training pictures lay in the patient, where that is known of both: the cine is
  turned by one of the eight symmetries of the square, the answer is turned back.

  Args:
    cine: the heart may be anywhere in it.
    networks: at least one; the first one finds the heart.
    tta: average over the quarter turns and mirror images that the networks learnt: up to eight times the work.
    axes: how the cine lies in the patient, where it has no place (`recognise`).

  Raises: UserError when a network needs velocities or a pixel spacing that the cine does not have, and for `tta` of one
  that learnt hearts one way up.

  >>> cine = ear_jax.phantom_study()[0]
  >>> network = ear_jax.load_network('ear3d-phantom')
  >>> found = ear_jax.segment(cine, [network])
  >>> found.mask.shape == cine.mask.shape
  True
  """
  for network in networks:
    _check_channels(cine, network)
  axes = axes_of(cine.place) if cine.place else axes
  turns = [turn_for(axes, network) for network in networks]
  centre = _turned_point(find_heart(turned(cine, turns[0]), networks[0], tta)[0], cine, turns[0], back=True)
  probability = np.zeros(cine.mask.shape, np.float32)
  for network, turn in zip(networks, turns, strict=True):
    delineation = _segment(turned(cine, turn), network, _turned_point(centre, cine, turn), tta)
    probability += picture_turned(delineation, undone(turn))
  probability /= np.float32(len(networks))
  return Delineation(probability, expected_error(probability), centre)


def turn_for(axes: Axes | None, network: Network) -> Turn:
  """Returns how a picture that lies so in the patient is turned for a network; not at all where either is unknown."""
  wanted = network.picture().axes
  return turn_between(axes, wanted) if axes and wanted else Turn()


def _turned_point(point: tuple[float, float], cine: Cine, turn: Turn, *, back: bool = False) -> tuple[float, float]:
  """Returns where a pixel (row, column) of a cine lies after a turn; `back`: where one of the turned one lay before."""
  row, column = point
  rows, columns = cine.mask.shape[1:]
  if back and turn.quarters % 2:
    rows, columns = columns, rows
  quarters, mirrored = undone(turn) if back else turn
  if mirrored:
    column = columns - 1 - column
  for _ in range(quarters):
    row, column = columns - 1 - column, row
    rows, columns = columns, rows
  return row, column


def expected_error(probability: np.ndarray) -> np.ndarray:
  r"""Returns the expected loss of Dice `[T]` of the mask of each frame, were the probabilities right.

  .. math:: 1 - \frac{2 \sum p m}{\sum p + \sum m}, \quad m = [p > 1/2]

  It counts what networks, mirrored views or neighbouring cycles disagree about, and what each is unsure of.
  """
  mask = to_mask(probability)
  both, sum_p, sum_m = (x.sum(axis=(1, 2), dtype=np.float64) for x in (probability * mask, probability, mask))
  return np.where(sum_m > 0, 1 - 2 * both / np.maximum(sum_p + sum_m, 1e-9), 1.0)


def interleaved_cycles(frames: int, length: int) -> list[np.ndarray]:
  """Returns index arrays `[length]` into a cycle of `frames` that together hold every frame at least once.

  Each is an evenly spaced cycle: 50 frames for a network of 16 become four cycles of every third or fourth frame. A
  shorter cine repeats frames.
  """
  count = max(1, math.ceil(frames / length))
  places = np.arange(length)[None] * count + np.arange(count)[:, None]  # [count, length], in order of time by columns
  return list(places * frames // (length * count))


def _check_channels(cine, network):
  """Raises UserError when a network needs velocities that the cine does not have, naming the networks that fit."""
  if network.config.data.channels <= cine.video.shape[-1]:
    return
  raise UserError(
    f'{cine.name} has a magnitude alone, and the network {network.source} needs velocities too: take a network for '
    f'magnitude alone, such as {" or ".join(names_for(cine.video.shape[-1]))}, which ships with the package'
  )


def find_heart(cine: Cine, network: Network, tta: bool = False) -> tuple[tuple[float, float], float]:
  """Returns the window's centre (row, column) and how many pixels of the network's the wall has there, 0 for none.

  Where something beats, then moved to what the network finds there. Of several places with enough wall it is the one
  that the network is surest of, since other round organs are taken for a heart too; without one, that with most wall.
  """
  candidates = [_follow(cine, network, centre, tta) for centre in heart_centres(cine)]
  enough = 0.005 * math.prod(network.picture().size)  # half of the pixels that a ventricle usually has
  large = [one for one in candidates if one.mass > enough]
  best = min(large, key=lambda one: one.error) if large else max(candidates, key=lambda one: one.mass)
  return best.centre, best.mass


class _Place(NamedTuple):
  """Where a network finds a wall: centre in pixels of the cine, pixels of the network's, expected 1 - Dice."""

  centre: tuple[float, float]
  mass: float
  error: float


def _follow(cine, network, centre, tta):
  for _ in range(_MOVES):
    probability = _segment(cine, network, centre, tta, cycles=1)
    sure = np.where(probability > 0.5, probability, 0).sum(axis=0, dtype=np.float64)  # [H, W]
    mass = float(sure.sum()) / len(probability)
    if not mass:
      return _Place(centre, 0.0, 1.0)
    middle = tuple(float((np.arange(n) * sure.sum(1 - axis)).sum() / sure.sum()) for axis, n in enumerate(sure.shape))
    moved = math.dist(middle, centre)
    centre = middle
    if moved < _STILL * min(_extent(cine, network)):
      break
  return _Place(centre, mass * math.prod(_scale(cine, network)), float(expected_error(probability).mean()))


def _scale(cine, network):
  """Pixels of the network per pixel of the cine, along row and column."""
  spacing = network.picture().spacing
  if spacing is None:
    return 1.0, 1.0
  if any(math.isnan(s) for s in cine.spacing):
    raise UserError(
      f'{cine.name}: the pixel spacing is unknown, and the network was trained at {spacing[0]:g} mm: state the '
      'spacing in the file (docs/data.md)'
    )
  return cine.spacing[0] / spacing[0], cine.spacing[1] / spacing[1]


def _extent(cine, network):
  """Rows and columns of the cine that show as much of the body as a training picture does."""
  size = network.picture().size
  return tuple(max(1, round(n / s)) for n, s in zip(size, _scale(cine, network), strict=True))


def _segment(cine, network, centre, tta, cycles=None):
  """Returns the probability `[T, H, W]` by one network, its window about `centre`; of the first cycles only, or all.

  With fewer cycles the result has the frames of those.
  """
  picture, (height, width) = network.picture(), _extent(cine, network)
  top, left = round(centre[0] - (height - 1) / 2), round(centre[1] - (width - 1) / 2)
  parts = interleaved_cycles(len(cine.video), picture.frames)[:cycles]
  used = np.unique(np.concatenate(parts))
  region = crop(_frames(cine, used), top, left, height, width)
  if picture.spacing is not None:
    region = resample(region, picture.spacing)
  total, count = np.zeros(region.mask.shape, np.float32), np.zeros(len(used), np.float32)
  places = [np.searchsorted(used, part) for part in parts]
  results = network.predict((_frames(region, place) for place in places), tta)
  for place, (_, probability) in zip(places, results, strict=True):
    np.add.at(total, place, probability)
    np.add.at(count, place, 1)
  mean = total / count[:, None, None]
  if mean.shape[1:] != (height, width):
    mean = resize(mean, (len(used), height, width), order=1, mode='edge').astype(np.float32)
  return crop_or_pad(mean, -top, -left, *cine.mask.shape[1:])


def _frames(cine, frames):
  """Returns the cine with only some of its frames, without reference."""
  video = cine.video[frames]
  return cine.replace(video=video, mask=np.zeros(video.shape[:3], np.uint8), annotated=np.zeros(len(video), bool))
