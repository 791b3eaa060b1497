"""Curves over a cycle that closes, some frames unknown: gaps bridged, integrals, view sharing undone."""

import numpy as np

_HARMONICS = 4  # of the cycle: what is faster is noise of contours
MOST_SHARING = 0.2  # beyond it noise between neighbouring frames is amplified more than five times


def bridge_gaps(curves: np.ndarray) -> np.ndarray:
  """Returns curves `[T, ...]` with NaN replaced on a straight line around the cycle; all NaN stays so."""
  flat = curves.reshape(len(curves), -1).copy()
  frames = np.arange(len(curves))
  for column in np.flatnonzero(np.isnan(flat).any(0)):
    known = np.flatnonzero(np.isfinite(flat[:, column]))
    if known.size:
      flat[:, column] = np.interp(frames, known, flat[known, column], period=len(frames))
  return flat.reshape(curves.shape)


def slow(curve: np.ndarray) -> np.ndarray:
  """Returns a curve `[T]` around the cycle with its four slowest harmonics alone; frames that are NaN are bridged."""
  spectrum = np.fft.rfft(bridge_gaps(curve))
  spectrum[_HARMONICS + 1 :] = 0
  return np.fft.irfft(spectrum, len(curve))


def longest_run(flags: np.ndarray) -> int:
  """Returns the length of the longest run of True in `[N]` bool, around the circle."""
  return int(in_longest_run(flags).sum())


def in_longest_run(flags: np.ndarray) -> np.ndarray:
  """Returns `[N]` bool, what lies in the longest run of True in `[N]` bool, around the circle; of two the first."""
  if flags.all() or not flags.any():
    return flags.copy()
  begin = int(np.argmin(flags))
  turned = np.roll(flags, -begin)  # begins with False: no run crosses the end
  edges = np.flatnonzero(np.diff(turned.astype(int), append=0))
  k = int(np.argmax(edges[1::2] - edges[::2]))
  found = np.zeros_like(flags)
  found[edges[2 * k] + 1 : edges[2 * k + 1] + 1] = True
  return np.roll(found, begin)


def integrate(rate: np.ndarray, frame_interval: float) -> np.ndarray:
  """Returns the integral `[T, ...]` over time of a periodic rate `[T, ...]` per second, 0 at frame 0.

  The trapezoid rule around the cycle. Frames that are NaN are bridged and are NaN in the result.

  Args:
    rate: `[T, ...]`, per second.
    frame_interval: ms.
  """
  bridged = bridge_gaps(rate)
  steps = (bridged + np.roll(bridged, -1, 0)) * (0.5 * frame_interval / 1000)
  return np.where(np.isfinite(rate), np.cumsum(steps, 0) - steps, np.nan)


def undo_view_sharing(curves: np.ndarray, sharing: float) -> np.ndarray:
  """Returns curves `[T, ...]` as they were before each frame was mixed with its two neighbours.

  Measured v_t = (1 - 2 s) u_t + s (u_{t-1} + u_{t+1}) around the cycle; this solves for u, exactly. A mean over the
  wall passes the mixing as a single pixel does, to first order. Frames that are NaN are bridged for the others' sake
  and stay NaN.

  Args:
    curves: `[T, ...]`.
    sharing: s, the weight of each neighbouring frame. A frame whose data last L ms on frames every D ms has about
      s = (1 - D / L) / 2: 0.1 for 24 ms every 20 ms.

  Raises:
    ValueError: s is not within 0 to `MOST_SHARING`.
  """
  if not 0 <= sharing <= MOST_SHARING:
    raise ValueError(f'view sharing {sharing}: expected the weight of a neighbouring frame, 0 to {MOST_SHARING}')
  if not sharing:
    return curves
  frequency = 2 * np.pi * np.fft.rfftfreq(len(curves))
  response = 1 - 2 * sharing * (1 - np.cos(frequency))
  spectrum = np.fft.rfft(bridge_gaps(curves), axis=0) / response.reshape(-1, *[1] * (curves.ndim - 1))
  return np.where(np.isfinite(curves), np.fft.irfft(spectrum, len(curves), axis=0), np.nan)


def closed_integral(frames: int, frame_interval: float) -> np.ndarray:
  """Returns `[T, T]`, which makes of a rate `[T]` per second its integral since frame 0 over a cycle that closes.

  What returns after a cycle has a rate without mean: the mean, which is background phase and drift, goes away. By
  Fourier series, exact for a rate that the frames resolve.

  Args:
    frames: T.
    frame_interval: ms.
  """
  turn = 2 * np.pi * np.fft.rfftfreq(frames, frame_interval / 1000)
  spectrum = np.fft.rfft(np.eye(frames), axis=0)
  spectrum[1:] /= 1j * turn[1:, None]
  spectrum[0] = 0
  if frames % 2 == 0:
    spectrum[-1] = 0  # the fastest harmonic has no sine, which would be its integral
  whole = np.fft.irfft(spectrum, frames, axis=0)
  return whole - whole[0]
