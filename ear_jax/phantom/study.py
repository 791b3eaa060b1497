"""Whole studies: which slices there are, and each slice's cine and truth, made on its own from the plan.

`plan(PAPER)` lists the slices; `render(slice_plan)` and `truth(slice_plan)` need nothing else and give the same bits
every time, on any machine that has the same numpy, in any order.
"""

import dataclasses

import numpy as np

from ear_jax.cine import Cine, Study, Venc
from ear_jax.phantom import anatomy, scanner
from ear_jax.phantom.anatomy import Subject, Visit
from ear_jax.phantom.chest import chest
from ear_jax.phantom.look import PLAIN, Look, draw_look, dress
from ear_jax.phantom.motion import Motion
from ear_jax.phantom.texture import Field
from ear_jax.phantom.ventricles import Ventricles

_GAIN = 2000.0  # magnitude counts of a signal of 1, where no scanner has drawn one
_COARSEST = 2.4  # mm, acquired in the finer direction
_REACH = 78.0  # mm; the moving part of the picture lies within this square about the heart


@dataclasses.dataclass(frozen=True)
class Size:
  """How much of a phantom: counts, grid and encoding."""

  name: str
  subjects: int
  rescans: int  # subjects scanned a second time
  slices: tuple[int, ...]  # how many datasets have 3, 4, 5, ... slices
  frames: int
  matrix: int
  spacing: float  # mm, reconstructed
  acquired: float  # mm
  offset: float  # mm, largest distance of the heart from the image centre along either axis
  margin: int = 0  # pixels scanned beyond the matrix on either side and cut off
  venc: Venc = (20.0, 20.0, 30.0)  # cm/s along column, along row, through the plane
  sharing: float = 0.1  # view sharing: a frame's data last 24 ms, the next begins after about 20 ms
  swirl: float = 0.08
  varied: bool = False  # a look of their own for every person, instead of the plain one
  turned: bool = False  # varied looks in all eight symmetries of the square, instead of the clinical view
  spacings: tuple[float, float] | None = None  # mm; where given, every person's `spacing` lies between them
  vencs: tuple[float, float] | None = None  # cm/s; where given, every person's in-plane `venc` lies between them


MINI = Size('phantom_mini', 12, 0, (12,), 16, 96, 1.2, 1.7, offset=7.0, margin=8, sharing=0.0)
MANY = dataclasses.replace(MINI, name='phantom_many', subjects=40, slices=(40,))  # trains a network that ships
DEMO = Size('phantom_demo', 4, 0, (4,), 50, 224, 1.0, 1.7, offset=20.0, margin=8)
VARIED = dataclasses.replace(
  MINI, name='phantom_varied', subjects=60, slices=(60,), matrix=128, spacings=(0.8, 2.0), offset=25.0, varied=True
)
CROWD = dataclasses.replace(  # trains the networks that ship
  VARIED, name='phantom_crowd', subjects=1000, slices=(1000,), spacing=1.3, spacings=None, vencs=(15.0, 30.0)
)
PAPER = Size('phantom_paper', 18, 8, (2, 5, 19), 50, 512, 0.85, 1.7, offset=24.0)
SIZES = {'mini': MINI, 'demo': DEMO, 'paper': PAPER}


@dataclasses.dataclass(frozen=True)
class SlicePlan:
  """One slice to make."""

  size: Size
  subject: str
  dataset: str
  slice_id: str
  level: str  # base, mid or apex
  position: float  # 0 at the base to 1 at the apex
  seed: int  # of the cohort
  subject_index: int
  visit_index: int
  slice_index: int


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
  """What is exactly so in one slice.

  Attributes:
    mask: `[T, H, W]` uint8, pixel centres within the deformed wall.
    velocity: `[T, H, W, 3]` float32, cm/s along column, along row, towards the apex; 0 outside the wall.
    longitudinal, radial, circumferential: `[T]` float64, cm/s, means over the mask about `centre` without the in-plane
      bulk motion; radial inward positive, circumferential counter-clockwise on the array; time mean not removed.
    centre: `[T, 2]` row and column of the mean of the epicardial points.
    endo, epi: `[T, 360, 2]` row and column, one point per material degree, open.
    septal_angle: rad, atan2(column, row) from the centre to mid septum at t = 0: 0 is down, pi/2 right.
  """

  mask: np.ndarray
  velocity: np.ndarray
  longitudinal: np.ndarray
  radial: np.ndarray
  circumferential: np.ndarray
  centre: np.ndarray
  endo: np.ndarray
  epi: np.ndarray
  septal_angle: float


def plan(size: Size, seed: int = 0) -> tuple[SlicePlan, ...]:
  """Returns all slices of a study; another `seed` is another cohort."""
  counts = np.repeat(np.arange(3, 3 + len(size.slices)), size.slices)
  np.random.default_rng((seed, 1)).shuffle(counts)
  visits = [(s, v) for s in range(size.subjects) for v in range(2 if s < size.rescans else 1)]
  if len(counts) != len(visits):
    raise ValueError(f'{size.name}: slice counts for {len(counts)} datasets, but there are {len(visits)}')
  plans = []
  for (subject, visit), count in zip(visits, counts, strict=True):
    person = _sized(size, seed, subject)
    name = f'phantom{seed or ""}-{subject + 1:02d}'  # people of another seed are other people
    for k in range(count):
      position = k / (count - 1)
      level = 'base' if position < 0.2 else 'apex' if position > 0.8 else 'mid'
      ids = (name, f'{name}-{"ab"[visit]}', f'sax{k + 1}', level, position)
      plans.append(SlicePlan(person, *ids, seed, subject, visit, k))
  return tuple(plans)


def first_visit(size: Size | str, *, seed: int = 0, subject: int = 1) -> list[SlicePlan]:
  """Returns the slices of a person's first visit, from base to apex; arguments as of `phantom_study`."""
  size = SIZES[size] if isinstance(size, str) else size
  if not 1 <= subject <= size.subjects:
    raise ValueError(f'{size.name} has {size.subjects} subjects: subject is 1 to {size.subjects}, not {subject}')
  return [p for p in plan(size, seed) if p.subject_index == subject - 1 and p.visit_index == 0]


def phantom_study(size: Size | str = 'mini', *, seed: int = 0, subject: int = 1) -> Study:
  """Returns one visit of a person who does not exist, as a scanner shows it, with the exact mask of every frame.

  Args:
    size: 'mini' (3 slices of 16 frames of 96 x 96 pixels), 'demo' (50 frames of 224 x 224) or 'paper' (512 x 512).
    seed: another seed is another cohort.
    subject: which person of the cohort, from 1.

  Raises: ValueError when there is no such person, KeyError when there is no such size.

  >>> study = ear_jax.phantom_study()
  >>> [cine.level for cine in study]
  ['base', 'mid', 'apex']
  >>> study[0].video.shape
  (16, 96, 96, 4)
  """
  cines = tuple(render(p) for p in first_visit(size, seed=seed, subject=subject))
  return Study(cines[0].subject, cines[0].dataset, cines)


def _sized(size: Size, seed: int, subject: int) -> Size:
  """The size with a person's own pixel, wide enough for the heart, and venc."""
  rng = np.random.default_rng((seed, 6, subject))
  if size.spacings is not None:
    low, high = size.spacings
    reach = look(size, seed, subject).reach
    low = max(low, 2 * reach / size.matrix)
    spacing = round(float(low * (max(high, low) / low) ** rng.uniform()), 3)
    room = 0.5 * size.matrix * spacing - reach
    size = dataclasses.replace(size, spacing=spacing, offset=float(np.clip(room, 0, size.offset)))
  if size.vencs is not None:
    in_plane = round(float(rng.uniform(*size.vencs)), 1)
    size = dataclasses.replace(size, venc=(in_plane, in_plane, round(float(in_plane * rng.uniform(1.0, 1.8)), 1)))
  return size


def look(size: Size, seed: int, subject: int) -> Look:
  """Returns how a person of a cohort looks; `subject` counts from 0."""
  return draw_look(np.random.default_rng((seed, 5, subject)), turned=size.turned) if size.varied else PLAIN


def people(slice_plan: SlicePlan) -> tuple[Subject, Visit, Motion]:
  """Returns the subject, the visit and the wall's motion behind a slice."""
  p = slice_plan
  worn = look(p.size, p.seed, p.subject_index)
  subject = anatomy.draw_subject(np.random.default_rng((p.seed, 2, p.subject_index)), mirrored=worn.mirrored)
  rng = np.random.default_rng((p.seed, 3, p.subject_index, p.visit_index))
  visit = anatomy.draw_visit(rng, offset=p.size.offset)
  subject, visit = dress(subject, visit, worn)
  return subject, visit, anatomy.wall_motion(subject, visit, p.position)


def times(size: Size) -> np.ndarray:
  """Returns the frames' times `[T]` in cycles."""
  return np.arange(size.frames) / size.frames


def grid(matrix: int, spacing: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns x and y `[matrix, matrix]` float32 of pixel centres, mm from the image centre."""
  line = (np.arange(matrix, dtype=np.float32) - (matrix - 1) / 2) * np.float32(spacing)
  return np.meshgrid(line, line)


def cine(slice_plan: SlicePlan, video: np.ndarray, mask: np.ndarray) -> Cine:
  """Returns a cine `[T, H, W, 4]` of a slice with the ids, encoding and times of its plan, all frames annotated."""
  p, size = slice_plan, slice_plan.size
  return Cine(
    video=video,
    mask=mask,
    annotated=np.ones(size.frames, bool),
    venc=size.venc,
    spacing=(size.spacing, size.spacing),
    frame_interval=1000 * people(p)[1].timing.rr / size.frames,
    subject=p.subject,
    dataset=p.dataset,
    slice_id=p.slice_id,
    level=p.level,
  )


def render(slice_plan: SlicePlan) -> Cine:
  """Returns the scanned slice with its exact mask, all frames annotated."""
  p, size = slice_plan, slice_plan.size
  subject, visit, motion = people(p)
  rng = np.random.default_rng((p.seed, 4, p.subject_index, p.visit_index, p.slice_index))
  x, y = grid(size.matrix + 2 * size.margin, size.spacing)
  machine = _scanner(
    size, look(size, p.seed, p.subject_index), subject, visit, x - motion.centre[0], y - motion.centre[1], rng
  )
  still, box, moving = _tissue(p, subject, visit, motion, x, y, rng)
  moving = scanner.share_views(moving, machine.sharing)
  signals = np.repeat(still[None], 4, 0).astype(np.complex64)
  video = np.empty((size.frames, size.matrix, size.matrix, 4), np.float32)
  keep = slice(size.margin, size.margin + size.matrix)
  for frame, part in zip(video, moving, strict=True):
    signals[box] = part
    magnitude, phase = scanner.acquire(machine, signals, rng)
    frame[..., 0] = magnitude[keep, keep]
    frame[..., 1:] = np.moveaxis(scanner.counts_to_velocity(phase[:, keep, keep], size.venc), 0, -1)
  return cine(p, video, _mask(motion, size))


def exact(slice_plan: SlicePlan) -> Cine:
  """Returns the slice as a scanner without noise, blur or background phase would show it.

  Velocities are those of `truth` inside the wall and 0 outside, not quantised; the magnitude is the sum of the tissues'
  signals in whole numbers. Mask, venc and times are those of `render`.
  """
  p, size = slice_plan, slice_plan.size
  subject, visit, motion = people(p)
  rng = np.random.default_rng((p.seed, 4, p.subject_index, p.visit_index, p.slice_index))
  x, y = grid(size.matrix, size.spacing)
  still, box, moving = _tissue(p, subject, visit, motion, x, y, rng)
  known = truth(p)
  video = np.empty((size.frames, size.matrix, size.matrix, 4), np.float32)
  video[..., 0] = np.abs(still)
  video[(slice(None), *box[1:], 0)] = np.abs(moving[:, 0])  # the reference encode, which no velocity turns
  video[..., 0] = np.clip(np.rint(_GAIN * video[..., 0]), 0, scanner.COUNTS - 1)
  video[..., 1:] = known.velocity
  return cine(p, video, known.mask)


def truth(slice_plan: SlicePlan) -> Truth:
  """Returns the exact mask, velocities and curves of a slice."""
  size = slice_plan.size
  subject, visit, motion = people(slice_plan)
  x, y = grid(size.matrix, size.spacing)
  mask = _mask(motion, size)
  velocity = np.zeros((*mask.shape, 3), np.float32)
  curves, borders = [], []
  turn = np.deg2rad(np.arange(360.0))
  for t, inside, field in zip(times(size), mask.astype(bool), velocity, strict=True):
    points = np.stack([x[inside], y[inside]], -1).astype(float)
    v = motion.velocity(*motion.inverse(points, t), t)
    field[inside] = v
    lines = [motion.forward(r, turn, t)[:, :2] for r in motion.wall.borders(turn)]
    curves.append(_curves(points - lines[1].mean(0), v))
    borders.append([line[:, ::-1] / size.spacing + (size.matrix - 1) / 2 for line in lines])
  contours = np.array(borders)  # [T, 2, 360, 2]
  longitudinal, radial, circumferential = np.array(curves).T
  septum = subject.heart.septum + visit.angle
  return Truth(
    mask,
    velocity,
    longitudinal,
    radial,
    circumferential,
    centre=contours[:, 1].mean(1),
    endo=contours[:, 0],
    epi=contours[:, 1],
    septal_angle=float(np.arctan2(np.cos(septum), np.sin(septum))),
  )


def _curves(away: np.ndarray, velocity: np.ndarray) -> tuple[float, float, float]:
  """Mean longitudinal, radial (inward) and circumferential (counter-clockwise) velocity of points about a centre."""
  plane = velocity[:, :2] - velocity[:, :2].mean(0)
  unit = away / np.hypot(*away.T)[:, None]
  radial = -(unit * plane).sum(1)
  circumferential = unit[:, 1] * plane[:, 0] - unit[:, 0] * plane[:, 1]  # rows grow downwards
  return velocity[:, 2].mean(), radial.mean(), circumferential.mean()


def _mask(motion: Motion, size: Size) -> np.ndarray:
  """`[T, H, W]` uint8 by the pixel-centre rule."""
  x, y = grid(size.matrix, size.spacing)
  mask = np.zeros((size.frames, size.matrix, size.matrix), np.uint8)
  rows, columns = _window(y[:, 0], motion.centre[1]), _window(x[0], motion.centre[0])
  points = np.stack([x[rows, columns], y[rows, columns]], -1).astype(float)
  for frame, t in zip(mask, times(size), strict=True):
    frame[rows, columns] = motion.wall.contains(*motion.inverse(points, t))
  return mask


def _window(line: np.ndarray, centre: float) -> slice:
  inside = np.flatnonzero(np.abs(line - centre) <= _REACH)
  return slice(int(inside[0]), int(inside[-1]) + 1)


def _tissue(
  p: SlicePlan, subject: Subject, visit: Visit, motion: Motion, x: Field, y: Field, rng: np.random.Generator
) -> tuple[Field, tuple[slice, slice, slice], Field]:
  """The chest's magnitude `[H, W]`, the window of the heart in it, and that window's signals `[T, 4, h, w]`."""
  away_x, away_y = x - motion.centre[0], y - motion.centre[1]
  cos, sin = np.cos(visit.angle), np.sin(visit.angle)
  lying = cos * away_x + sin * away_y, cos * away_y - sin * away_x  # the trunk turns with the heart
  still = chest(subject, *lying, p.position * subject.heart.length)
  window = _window(y[:, 0], motion.centre[1]), _window(x[0], motion.centre[0])
  heart = Ventricles(subject, visit, motion, p.position, p.size.venc, rng)
  frames = [heart.signals(still[window], x[window], y[window], t) for t in times(p.size)]
  return still, (slice(None), *window), np.stack(frames)


def _scanner(
  size: Size, worn: Look, subject: Subject, visit: Visit, x: Field, y: Field, rng: np.random.Generator
) -> scanner.Scanner:
  turn = -worn.coil_turn if subject.mirrored else worn.coil_turn
  cos, sin = float(np.cos(turn)), float(np.sin(turn))
  coil = scanner.shading(rng, cos * x + sin * y, cos * y - sin * x, worn.coil, worn.coil_front)
  offsets = [np.zeros_like(x)] + [np.pi / v * scanner.background(rng, x, y, rng.uniform(1, 3)) for v in size.venc]
  band = scanner.band_limit(
    x.shape,  # a square
    size.spacing,
    size.acquired if worn.coarse is None else min(worn.coarse * size.spacing, max(_COARSEST, size.spacing)),
    0.0 if worn.cartesian else size.swirl,
    aspect=worn.aspect,
    cartesian=worn.cartesian,
    blur=worn.blur,
    ghost=worn.ghost,
    ghost_shift=worn.ghost_shift,
  )
  return scanner.Scanner(
    band=band.T if worn.sideways else band,
    receive=(coil * np.exp(1j * np.stack(offsets))).astype(np.complex64),
    sigma=subject.contrast.muscle / visit.snr,
    gain=worn.gain or float(rng.uniform(1500, 2400)),
    sharing=size.sharing if worn.sharing is None else worn.sharing,
    magnitudes=worn.magnitudes,
    field=scanner.field(worn.field, x.shape),
  )
