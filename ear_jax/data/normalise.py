"""The network's input from physical values: one piece of code for training, evaluation and prediction."""

import numpy as np
from ml_collections import ConfigDict

from ear_jax.cine import Cine, Venc
from ear_jax.data.tone import curve_to, levels, toned
from ear_jax.system.errors import UserError

FORMULAS = {  # in words, for those who bring pictures to an exported network
  'robust': 'magnitude: (m - median) / ((p99 - p1) / 2), with median and percentiles over every second row and column '
  'of the whole cine, before the window is cut; velocities in the plane: v / max(venc along column, venc along row); '
  'velocity through the plane: v / venc',
  'window': 'as robust, with median and percentiles over the central window alone, the part that is cut out afterwards',
  'joint': '(x - mean) / SD, over all pixels, frames and channels of the whole cine, before the window is cut',
}


def formula(method: str, tone: float) -> str:
  """Returns in words how an input is made of a picture, for those who bring pictures to an exported network."""
  if not tone:
    return FORMULAS[method]
  return (
    f'first the magnitude becomes max((m - p1) / (p99 - p1), 0) to the power log({tone:g}) / log((median - p1) / '
    '(p99 - p1)), but at least 1/3 and at most 3, with percentiles and median over every second row and column of the '
    f'central window; then {FORMULAS[method]}'
  )


def normalise(
  video: np.ndarray, venc: Venc | None, method: str = 'robust', window: int = 0, tone: float = 0.0
) -> np.ndarray:
  """Returns the network's input, float32 of the same shape.

  `FORMULAS` has the methods. By 'robust' the bulk of the magnitude lies in about [-1, 1] whatever a scanner's scaling,
  and the two in-plane velocities share the larger venc, so that they remain a vector under rotation. By 'window' what
  lies beyond it, such as fat close to the coil, does not count. 'joint' is the released code's.

  Args:
    video: `[T, H, W, C]`, magnitude and velocities in cm/s.
    venc: cm/s for each velocity channel; None when C = 1.
    method: 'robust', 'window' or 'joint'.
    window: pixels along a side of that window.
    tone: the middle grey, between dark 0 and bright 1, to which the magnitude is brought first (`data.tone`); 0: none.
  """
  video = np.asarray(video, np.float32)
  if tone:
    video = toned(video, curve_to(tone, video[..., :1], window))
  middle, spread = normalisation(video, venc, method, window)
  return (video - middle) / spread


def normalisation(
  video: np.ndarray, venc: Venc | None, method: str = 'robust', window: int = 0
) -> tuple[np.ndarray, np.ndarray]:
  """Returns what `normalise` subtracts from each channel and then divides it by, float32 `[C]` each."""
  channels = video.shape[-1]
  if method == 'joint':
    spread = max(float(video.std()), 1e-6)
    return np.full(channels, video.mean(), np.float32), np.full(channels, spread, np.float32)
  if method not in FORMULAS:
    raise ValueError(f"config.data.normalise {method!r} is not 'robust', 'window' or 'joint'")
  magnitude = video[..., :1]
  low, middle, high = levels(magnitude, window if method == 'window' else 0)
  spreads = [max((high - low) / 2, 1e-6)]
  if channels > 1:
    if venc is None:
      raise ValueError(f'{channels} channels without a venc: the velocities have no scale')
    in_plane = max(venc[0], venc[1])
    spreads += [in_plane, in_plane, venc[2]]
  return np.array([middle] + [0.0] * (channels - 1), np.float32), np.array(spreads, np.float32)


def network_input(cine: Cine, config: ConfigDict) -> np.ndarray:
  """Returns the normalised picture `[T, H, W, C]` with the channels that the configuration asks for."""
  check_channels(cine, config.data.channels)
  data, alone = config.data, config.data.channels == 1
  video, venc = (cine.video[..., :1], None) if alone else (cine.video, cine.venc)
  return normalise(video, venc, data.normalise, data.crop, data.get('tone', 0.0))  # older files have none


def check_channels(cine: Cine, channels: int) -> None:
  """Raises UserError when a configuration asks for velocities that a cine does not have."""
  if channels not in (1, 4) or channels > cine.video.shape[-1]:
    raise UserError(
      f'config.data.channels is {channels}, but cine {cine.name} has {cine.video.shape[-1]}: '
      'use 1 for magnitude only, 4 for magnitude and velocity'
    )
