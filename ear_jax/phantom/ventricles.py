"""The moving part of the picture: complex signals of both ventricles over a still chest, one moment at a time.

Layers are painted over one another as complex numbers, so that a pixel on a border holds the sum of both signals, as
in a scan. Only the wall of the left ventricle has an exact truth; all else moves plausibly with it.
"""

from collections.abc import Iterator

import numpy as np

from ear_jax.cine import Venc
from ear_jax.phantom.anatomy import Subject, Visit
from ear_jax.phantom.flow import Flow
from ear_jax.phantom.motion import Motion
from ear_jax.phantom.texture import Field, Tile, ellipse, soft

Box = tuple[slice, slice]  # rows and columns of a part of the picture

_BOUNDARY_LAYER = 5.0  # mm
_REACH = 14.0  # mm over which the tissue around the heart follows it


class Ventricles:
  """Everything of one slice that does not depend on time, ready to be painted."""

  def __init__(
    self, subject: Subject, visit: Visit, motion: Motion, position: float, venc: Venc, rng: np.random.Generator
  ):
    """Prepares textures and flow; `position` is 0 at the base and 1 at the apex, `venc` cm/s as of `Cine`."""
    fixed = np.random.default_rng((subject.seed, round(1000 * position)))
    self._subject, self._visit, self._motion, self._position = subject, visit, motion, position
    self._venc = venc
    self._grain, self._rough = Tile(fixed, (1.0, 2.2, 4.0, 9.0)), Tile(fixed, (1.6,))
    self._left, self._right = (Flow(rng, visit.flow * f, visit.timing) for f in (1.0, 0.7))

  def signals(self, still: Field, x: Field, y: Field, t: float) -> Field:
    """Returns the complex signals `[4, H, W]` complex64: reference, then one encode per velocity component.

    Args:
      still: `[H, W]` magnitude of the chest.
      x, y: `[H, W]` mm from the image centre.
      t: time in cycles.
    """
    motion, tissue = self._motion, self._subject.contrast
    radius, angle = motion.inverse(np.stack([x, y], -1), t)
    endo, epi = motion.wall.borders(angle)
    depth_in, depth_out = radius - endo, epi - radius
    # The wall's field, held at its borders' values elsewhere.
    velocity = np.moveaxis(motion.velocity(np.clip(radius, endo, epi), angle, t), -1, 0).astype(np.float32)
    texture = 1 + 1.3 * tissue.texture * self._grain(radius * np.cos(angle), radius * np.sin(angle))
    image = _encode(still, velocity * np.exp(np.minimum(depth_out, 0) / _REACH), self._venc)
    self._paint_surroundings(image, x, y, t, velocity, depth_out, texture)
    _paint(image, soft(depth_out), tissue.muscle * texture, velocity, self._venc)
    rough = depth_in + np.where(depth_in < 2, 0.5 * self._rough(3 * angle * motion.wall.inner, radius), 0)
    if self._subject.heart.trabeculae:
      rough += self._trabeculae(radius, angle)
    state = motion.at(t)
    self._paint_blood(image, -rough, self._left, x - state.shift[0], y - state.shift[1], t, state.inner, velocity)
    for coverage in self._papillaries(x, y, t, depth_in):
      _paint(image, coverage, 0.95 * tissue.muscle * texture, velocity, self._venc)
    return image

  def _trabeculae(self, radius: Field, angle: Field) -> Field:
    """How far (mm) trabeculae reach into the cavity: far at the free wall, less at the septum and in a small cavity."""
    heart, noise = self._subject.heart, self._rough(0.7 * radius * np.cos(angle), 0.7 * radius * np.sin(angle))
    deep = 0.6 - 0.4 * np.cos(angle - heart.septum - self._visit.angle)
    return min(heart.trabeculae, 0.2 * self._motion.wall.inner) * deep * np.clip(0.8 + noise, 0, 2)

  def _paint_surroundings(
    self, image: Field, x: Field, y: Field, t: float, velocity: Field, depth_out: Field, texture: Field
  ) -> None:
    tissue, chest = self._subject.contrast, self._subject.chest
    near = velocity * np.exp(np.minimum(depth_out, 0) / _REACH)
    cavity, centre, axis = self._right_ventricle(x, y, t)
    fat = np.maximum(depth_out + 1.5, cavity + 2.5) + chest.pericardial_fat * (1 + 0.8 * self._rough(0.1 * x, 0.1 * y))
    _paint(image, soft(fat), 1.15 * tissue.fat * texture, near, self._venc)
    _paint(image, soft(cavity + self._subject.heart.right_wall), 0.92 * tissue.muscle * texture, velocity, self._venc)
    if ridges := self._subject.heart.right_trabeculae:
      cavity = cavity - ridges * np.clip(self._rough(0.35 * x + 50, 0.35 * y), 0, 2.5)
    self._paint_blood(image, cavity, self._right, x - centre[0], y - centre[1], t, axis, velocity)

  def _right_ventricle(self, x: Field, y: Field, t: float) -> tuple[Field, np.ndarray, float]:
    """Distance into the right cavity (mm, positive inside), its centre and its smaller semi-axis."""
    motion, heart = self._motion, self._subject.heart
    state = motion.at(t)
    full = 1 - state.inner / motion.wall.inner
    size = 1.05 - 0.45 * max(0.0, self._position - 0.25)
    across, along = (
      heart.right_ventricle[0] * size * (1 - 0.55 * full),
      heart.right_ventricle[1] * size * (1 - 0.3 * full),
    )
    septum = heart.septum + self._visit.angle
    epi = motion.wall.inner + motion.wall.thickness
    direction = np.array([np.cos(septum), np.sin(septum)])
    centre = state.shift + direction * epi * (0.92 - 0.25 * full)
    centre += heart.right_shift * np.array([-direction[1], direction[0]])
    ragged = 1.0 * self._rough(0.35 * x, 0.35 * y)
    if heart.right_bend:
      ragged += heart.right_bend * self._rough(0.1 * x + 23, 0.1 * y)
    return ellipse(x, y, centre, (across, along), septum + heart.right_tilt) + ragged, centre, across

  def _paint_blood(
    self, image: Field, inside: Field, flow: Flow, x: Field, y: Field, t: float, radius: float, velocity: Field
  ) -> None:
    """Lays blood over the image; x, y are mm from the cavity's centre."""
    coverage, tissue = soft(inside), self._subject.contrast
    box = _box(coverage)
    if box is None:
      return
    dx, dy = x[box], y[box]
    gain, jitter = flow.speckle(dx, dy, t, tissue.speckle)
    # Fresh blood is brighter while it flows in; suppressed blood comes back where it stands still.
    moving = min(1.0, abs(flow.strength(t)))
    inflow = 1 + (0.15 * moving if tissue.blood > tissue.muscle else 0.5 * (1 - moving))
    mixing = 1 + 0.09 * self._rough(0.12 * dx + 9, 0.12 * dy)
    bright = min(1.0, tissue.blood * self._visit.blood * inflow) * gain * mixing
    layer = np.clip(inside[box] / _BOUNDARY_LAYER, 0.1, 1)  # blood sticks to the wall
    blood = velocity[(slice(None), *box)] + layer * (flow.velocity(dx, dy, 1.15 * radius, t) + jitter)
    _blend(image, box, coverage[box], _encode(bright, blood, self._venc))

  def _papillaries(self, x: Field, y: Field, t: float, depth_in: Field) -> Iterator[Field]:
    motion, heart = self._motion, self._subject.heart
    size = float(np.clip(1.25 - 2.4 * abs(self._position - 0.5), 0, 1))
    if size < 0.3:
      return
    lateral = heart.septum + np.pi + self._visit.angle
    for offset, radius in heart.papillary:
      radius = radius * size
      root = np.array([lateral + offset])
      foot = motion.forward(motion.wall.borders(root)[0], root, t)[0, :2]
      inward = motion.at(t).shift - foot
      inward /= np.hypot(*inward)
      # The muscle stands on the wall and keeps its area while the cavity closes around it.
      middle, lean = foot + inward * (0.75 + heart.papillary_gap) * radius, np.arctan2(inward[1], inward[0])
      yield soft(ellipse(x, y, middle, (1.25 * radius, 0.85 * radius), lean) + 0.4 * self._rough(x, y))


def _encode(magnitude: Field, velocity: Field, venc: Venc) -> Field:
  phase = np.pi * velocity / np.asarray(venc, velocity.dtype)[:, None, None]
  encoded = magnitude * np.exp(1j * phase.astype(np.float32))
  return np.concatenate([np.broadcast_to(magnitude, encoded.shape[1:])[None], encoded]).astype(np.complex64)


def _paint(image: Field, coverage: Field, magnitude: Field, velocity: Field, venc: Venc) -> None:
  """Lays a tissue over the image, only where it covers anything."""
  box = _box(coverage)
  if box is not None:
    _blend(image, box, coverage[box], _encode(magnitude[box], velocity[(slice(None), *box)], venc))


def _blend(image: Field, box: Box, coverage: Field, layer: Field) -> None:
  under = image[(slice(None), *box)]
  under += coverage.astype(np.float32) * (layer - under)


def _box(coverage: Field) -> Box | None:
  """The smallest window that holds all that is covered; None for nothing."""
  rows, columns = np.flatnonzero(coverage.any(1)), np.flatnonzero(coverage.any(0))
  if not rows.size:
    return None
  return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
