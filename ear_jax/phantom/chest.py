"""The still part of the picture: trunk, fat, muscle, ribs, lung, liver, stomach, spine and aorta as magnitudes."""

import dataclasses

import numpy as np

from ear_jax.phantom.anatomy import Chest, Contrast, Subject
from ear_jax.phantom.texture import Field, Tile, ellipse, soft


def chest(subject: Subject, x: Field, y: Field, slice_offset: float) -> Field:
  """Returns the relative magnitude `[H, W]` float32 of the chest without the heart.

  Args:
    subject: whose chest.
    x, y: `[H, W]` mm from the heart centre.
    slice_offset: mm through the plane; moves vessels and textures, so that neighbouring slices differ.
  """
  rng = np.random.default_rng(subject.seed)
  body, tissue = subject.chest, subject.contrast
  coarse, fine = Tile(rng, (5.0, 11.0)), Tile(rng, (1.1, 2.2))
  texture = 1 + tissue.texture * (0.8 * coarse(x + slice_offset, y) + 0.9 * fine(x, y + 0.7 * slice_offset))
  depth, turn = below_skin(body, x, y)
  inside = depth - body.fat * (1 + 0.35 * np.sin(turn + 1.0)) - 2
  if body.uneven:
    inside = inside - body.uneven * body.fat * coarse(0.12 * x, 0.12 * y)
  cavity = inside - body.muscle
  cut = _Cut(np.zeros_like(x), x, y, slice_offset, subject, rng, texture, coarse, fine, depth, turn, inside, cavity)
  _table_and_arms(cut)
  _trunk(cut)
  _ribs(cut)
  cut.paint(soft(cavity), tissue.lung * texture)
  _lung_vessels(cut)
  _belly(cut)
  _abdomen(cut)
  _midline(cut)
  return (cut.image if tissue.fat < 0 else np.maximum(cut.image, 0)).astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class _Cut:
  """A slice through a chest while it is painted.

  Attributes:
    image: `[H, W]`, changed by `paint`.
    x, y: `[H, W]` mm from the heart centre.   z: mm through the plane.
    subject, rng: whose chest, and what its chance parts are drawn from, in the order in which they are painted.
    texture: `[H, W]`, about 1.   coarse, fine: what it is made of.
    depth, turn: mm below the skin, and the polar angle about the trunk's centre.
    inside, cavity: mm below the fat, and within the chest wall.
  """

  image: Field
  x: Field
  y: Field
  z: float
  subject: Subject
  rng: np.random.Generator
  texture: Field
  coarse: Tile
  fine: Tile
  depth: Field
  turn: Field
  inside: Field
  cavity: Field

  @property
  def body(self) -> Chest:
    """The shape of the chest."""
    return self.subject.chest

  @property
  def tissue(self) -> Contrast:
    """How bright each tissue is."""
    return self.subject.contrast

  def paint(self, coverage: Field, value: Field | float) -> None:
    """Lays a value over the picture where coverage is 1, and a part of it where it is less."""
    self.image[...] += coverage * (value - self.image)


def below_skin(body: Chest, x: Field, y: Field) -> tuple[Field, Field]:
  """Returns the distance in mm below the skin, and the polar angle about the trunk's centre."""
  cos, sin = np.cos(body.tilt), np.sin(body.tilt)
  dx, dy = x - body.centre[0], y - body.centre[1]
  along, down = cos * dx + sin * dy, cos * dy - sin * dx
  turn = np.arctan2(down, along)
  border = ((np.abs(np.cos(turn)) / body.axes[0]) ** 2.4 + (np.abs(np.sin(turn)) / body.axes[1]) ** 2.4) ** (-1 / 2.4)
  wobble = sum(c.real * np.cos(k * turn) + c.imag * np.sin(k * turn) for k, c in enumerate(body.wobble, start=1))
  return border * (1 + wobble) - np.hypot(along, down), turn


def _trunk(cut: _Cut) -> None:
  tissue, texture = cut.tissue, cut.texture
  cut.paint(soft(cut.depth), tissue.skin * texture)
  cut.paint(soft(cut.depth - 2), tissue.fat * texture)
  strands = 0.15 * cut.fine(30 * cut.turn, 1.5 * cut.depth)
  cut.paint(soft(cut.inside), 0.9 * tissue.muscle * (texture + strands))


def _ribs(cut: _Cut) -> None:
  rng, body = cut.rng, cut.body
  radius = 0.5 * sum(body.axes)
  for k in range(15):
    where = 2 * np.pi * (k + rng.uniform(0.2, 0.8)) / 15
    along = (np.mod(cut.turn - where + np.pi, 2 * np.pi) - np.pi) * radius
    length, skew = rng.uniform(7, 16), rng.uniform(-0.15, 0.15)
    rib = ellipse(along, cut.inside - 0.6 * body.muscle + skew * along, (0, 0), (length, 4.2))
    cut.paint(soft(rib), 0.06 * cut.texture)
    cut.paint(soft(rib - 1.4), 0.8 * cut.tissue.fat * cut.texture)


def _lung_vessels(cut: _Cut) -> None:
  # Ridges of a random field look like branching vessels cut by the slice; dots like vessels that cross it.
  x, y, coarse, fine, tissue = cut.x + 0.3 * cut.z, cut.y + 0.5 * cut.z, cut.coarse, cut.fine, cut.tissue
  branch = 1.0 - 7 * np.abs(coarse(0.5 * x + 40, 0.5 * y)) - 0.9 * (1 - fine(0.1 * x, 0.1 * y))
  dots = 1.6 * (fine(0.45 * x + 17, 0.45 * y + 5) - 2.1)
  lung = soft(cut.cavity - 2)
  if cut.body.fine_vessels:
    specks = 2 * (fine(0.8 * x + 3, 0.8 * y) - 1.7)
    cut.paint(lung * np.clip(specks, 0, 1), 0.8 * max(tissue.muscle, tissue.blood))
  cut.paint(lung * np.clip(branch, 0, 1) * 0.7, 0.55 * tissue.muscle)
  cut.paint(lung * np.clip(dots, 0, 1), 0.9 * tissue.muscle)


def _table_and_arms(cut: _Cut) -> None:
  body, tissue = cut.body, cut.tissue
  cos, sin = np.cos(body.tilt), np.sin(body.tilt)
  across, down = cut.x - body.centre[0], cut.y - body.centre[1]
  across, down = cos * across + sin * down, cos * down - sin * across
  if body.table:
    cut.paint(soft(np.minimum(down - body.axes[1] - 4, body.axes[1] + 16 - down)), 0.12)
  for side in (-1, 1) if body.arms else ():
    for size, value in ((44, tissue.skin), (42, tissue.fat), (32, tissue.muscle), (11, 0.04), (8, tissue.marrow)):
      arm = ellipse(across, down, (side * (body.axes[0] + 48), -0.1 * body.axes[1]), (size, 1.2 * size))
      cut.paint(soft(arm), value * cut.texture)


def _belly(cut: _Cut) -> None:
  """Diaphragm, fat and round organs below it, where the cut shows them."""
  x, y, rng, body, tissue, coarse = cut.x, cut.y, cut.rng, cut.body, cut.tissue, cut.coarse
  if body.diaphragm is None:
    return
  dome = y - body.diaphragm - body.dome * x - 0.002 * (x - 20) ** 2 + 3 * coarse(0.2 * x, 0.2 * y)
  below = np.minimum(dome, cut.cavity)
  cut.paint(soft(below + 2.5), tissue.muscle * cut.texture)
  cut.paint(soft(below), tissue.fat * (cut.texture + 0.2 * coarse(0.6 * x, 0.6 * y)))
  values = (tissue.muscle, tissue.liver, tissue.content, tissue.content, tissue.blood, 0.04)
  for _ in range(body.organs):
    centre = rng.uniform(-130, 130), body.diaphragm + rng.uniform(5, 130)
    axes, angle, value = (rng.uniform(4, 20), rng.uniform(6, 40)), rng.uniform(0, np.pi), rng.choice(values)
    ragged = 0.15 * axes[0] * coarse(0.5 * x + centre[0], 0.5 * y)
    organ = np.minimum(ellipse(x, y, centre, axes, angle) + ragged, below - 1)
    cut.paint(soft(organ), 0.9 * tissue.muscle * cut.texture)
    cut.paint(soft(organ - rng.uniform(0.5, 3)), value * cut.texture)


def _abdomen(cut: _Cut) -> None:
  x, y, body, tissue, texture, coarse = cut.x, cut.y, cut.body, cut.tissue, cut.texture, cut.coarse
  *centre, wide, high = body.liver
  bumps = 2.5 * coarse(0.25 * x, 0.25 * y)
  liver = np.minimum(ellipse(x, y, centre, (wide, high), 0.15) + bumps, cut.cavity - 1)
  vessels = np.clip(1.1 - 9 * np.abs(coarse(0.4 * x + cut.z, 0.4 * y + 70)), 0, 1)
  value = tissue.liver * texture * (1 + vessels * np.where(tissue.blood > tissue.liver, 0.35, -0.45))
  cut.paint(soft(liver), value)
  *centre, wide, high = body.stomach
  bowl = np.minimum(ellipse(x, y, centre, (wide, high), -0.3) + bumps, cut.cavity - 1)
  cut.paint(soft(bowl + 3), 0.8 * tissue.muscle * texture)
  cut.paint(soft(bowl - 1.5), (tissue.content + 0.06 * cut.fine(0.5 * x, 0.5 * y)) * np.ones_like(x))
  spleen = np.minimum(ellipse(x, y, (np.sign(centre[0]) * 108, centre[1] + 4), (24, 40), 0.2) + bumps, cut.cavity - 1)
  cut.paint(soft(spleen), 1.1 * tissue.liver * texture)


def _midline(cut: _Cut) -> None:
  x, y, rng, body, tissue, texture = cut.x, cut.y, cut.rng, cut.body, cut.tissue, cut.texture
  hand = -1 if cut.subject.mirrored else 1
  spine = (body.centre[0] - hand * rng.uniform(2, 12), body.centre[1] + body.axes[1] * 0.60)
  _mediastinum(cut, spine)
  if body.sternum:
    front = (body.centre[0] + body.axes[1] * np.sin(body.tilt), body.centre[1] - body.axes[1] * np.cos(body.tilt))
    plate = np.minimum(ellipse(x, y, front, (21, body.fat + 14), body.tilt), cut.depth - body.fat)
    cut.paint(soft(plate), 0.06 * texture)
    cut.paint(soft(plate - 1.6), tissue.marrow * texture)
  for side in (-1, 1):
    back = ellipse(x, y, (spine[0] + side * 30, spine[1] + 30), (24, 15), side * 0.25)
    cut.paint(soft(np.minimum(back, cut.depth - 0.7 * body.fat)), 0.9 * tissue.muscle * texture)
  canal = (spine[0], spine[1] + 24)
  aorta = (spine[0] + hand * rng.uniform(20, 27), spine[1] - rng.uniform(10, 17))
  for centre, axes, value in (
    (spine, (22, 17), 0.05),
    (spine, (20.5, 15.5), tissue.marrow),
    (canal, (13, 10), 0.06),
    (canal, (9, 7), 0.5),
    (canal, (5, 4), 0.36),
    (aorta, (12.5, 12.0), 0.8 * tissue.muscle),
    (aorta, (10.8, 10.4), 0.9 * tissue.blood),
  ):
    cut.paint(soft(ellipse(x, y, centre, axes)), value * texture)


def _mediastinum(cut: _Cut, spine: tuple[float, float]) -> None:
  """Fat and soft tissue between heart and spine and between heart and sternum, with oesophagus and vena cava."""
  x, y, body, tissue, texture, coarse = cut.x, cut.y, cut.body, cut.tissue, cut.texture, cut.coarse
  ragged = 5 * coarse(0.3 * x + 11, 0.3 * y)
  behind = ellipse(x, y, (0.5 * spine[0], 0.55 * spine[1]), (body.mediastinum, 0.55 * spine[1]), 0.15) + ragged
  before = ellipse(x, y, (0.3 * body.centre[0], -34), (body.mediastinum, 44), -0.3) + ragged
  bulk = np.minimum(np.maximum(behind, before) if body.diaphragm is None else before, cut.cavity + 6)
  cut.paint(soft(bulk), tissue.fat * (texture + 0.25 * coarse(0.7 * x, 0.7 * y + 31)))
  vein = (0.75 * body.centre[0], 0.45 * spine[1])
  for centre, axes, value in (
    (vein, (11, 8), 0.95 * tissue.blood),
    ((0.6 * spine[0], 0.68 * spine[1]), (8, 6), 0.75 * tissue.muscle),
  ):
    cut.paint(soft(np.minimum(ellipse(x, y, centre, axes, 0.4), bulk - 1)), value * texture)
