"""When curves peak, finer than a frame, and how far apart regions peak: the indices of asynchrony.

Times are ms, curves are periodic. A frame of 20 ms would quantise a standard deviation of times; between frames a curve
is its Fourier series.
"""

import math

import numpy as np

from ear_jax.analysis.periodic import bridge_gaps

_FINER = 8
_SMOOTH = 0.017  # of the cycle: 17 ms of a second; chosen on people of phantom_mini


def peak(curve: np.ndarray, first: float, last: float, sign: int) -> tuple[float, float]:
  """Returns place, in frames, and value of the maximum (`sign` 1) or minimum (-1) of a curve between two frames.

  The Fourier series at eighths of a frame, and the vertex of the parabola through the best and its neighbours (Smith,
  Spectral Audio Signal Processing, eq. 5.4). NaN where the curve is unknown.

  Args:
    curve: `[T]`; a window may begin before frame 0 and pass the end: it then goes round the cycle.
    first, last: frames, fractions allowed, both included.
    sign: which extreme.
  """
  curve = bridge_gaps(curve)
  if not np.isfinite(curve).all():
    return math.nan, math.nan
  fine = finer(curve)
  window = np.arange(math.ceil(first * _FINER), math.floor(last * _FINER) + 1)
  best = int(window[np.argmax(sign * fine[window % len(fine)])])
  before, at, after = fine[np.arange(best - 1, best + 2) % len(fine)]
  bend = before - 2 * at + after
  shift = 0.5 * (before - after) / bend if sign * bend < 0 else 0.0
  if abs(shift) > 1 or best in (window[0], window[-1]):  # the window's edge, not a peak
    return best / _FINER, float(at)
  return (best + shift) / _FINER, float(at - 0.25 * (before - after) * shift)


def time_to_peak(
  curve: np.ndarray, first: float, last: float, sign: int, noise: float = math.nan
) -> tuple[float, float]:
  """Returns when a noisy curve peaks, and the standard error of that, both in frames.

  The curve is smoothed by a Gaussian of 1.7 % of the cycle first, which costs a skew wave 2 ms and noise three quarters
  of what it does to the time. The error is that of the smoothed curve's slope over its bend.

  Args:
    curve, first, last, sign: as of `peak`.
    noise: standard deviation of the curve, in its unit.
  """
  curve = bridge_gaps(curve)
  turn = 2 * np.pi * np.fft.fftfreq(len(curve))
  kept = np.exp(-0.5 * (turn * _SMOOTH * len(curve)) ** 2)
  smooth = np.fft.ifft(np.fft.fft(curve) * kept).real
  place, _ = peak(smooth, first, last, sign)
  if math.isnan(place):
    return math.nan, math.nan
  fine, at = finer(smooth), round(place * _FINER)
  bend = (fine[np.arange(at - 1, at + 2) % len(fine)] * (1, -2, 1)).sum() * _FINER**2
  return place, float(noise * np.sqrt(((turn * kept) ** 2).mean()) / abs(bend)) if bend else math.nan


def finer(curve: np.ndarray) -> np.ndarray:
  """Returns a periodic curve `[T]` at eighths of a frame, `[8 T]`, by its Fourier series."""
  spectrum = np.fft.rfft(curve)
  if len(curve) % 2 == 0:
    spectrum[-1] /= 2  # shared with its mirror image, which the longer series holds apart
  return np.fft.irfft(spectrum, _FINER * len(curve)) * _FINER


def lag(curve: np.ndarray, reference: np.ndarray) -> float:
  """Returns by how many frames a periodic curve `[T]` comes after another: where their cross-correlation is largest.

  c(k) = sum over t of curve(t + k) reference(t), both without mean, around the cycle; from -T/2 to T/2. NaN when
  either is unknown or does not move (the cross-correlation delay, doi:10.1016/j.echo.2007.04.030).
  """
  a, b = bridge_gaps(curve), bridge_gaps(reference)
  a, b = a - a.mean(), b - b.mean()
  if not np.isfinite(a + b).all() or not a.any() or not b.any():
    return math.nan
  correlation = np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(b).conj(), len(a))
  place, _ = peak(correlation, -len(a) / 2, len(a) / 2, 1)
  return place


def spread(times: np.ndarray) -> float:
  """Returns the standard deviation of times `[N]` with N - 1; NaN where one is unknown.

  Of the times to peak systolic velocity of 6 basal and 6 mid segments it is Ts-SD (Yu et al., Am J Cardiol
  2003;91:684).
  """
  return float(np.std(times, ddof=1)) if len(times) > 1 else math.nan


def uniformity(curves: np.ndarray) -> float:
  """Returns CURE `S0 / (S0 + S1)` of curves `[regions, T]` of regions of equal angle round the wall.

  S0 is the power of the mean round the wall, S1 that of the first harmonic, both summed over the cycle: 1 where all
  regions do the same, 0 where opposite walls do the opposite (Helm et al., Circulation 2005;111:2760; Budge et al.,
  doi:10.1016/j.jcmg.2011.12.024). NaN where a region is unknown.
  """
  harmonics = np.fft.fft(curves, axis=0) / len(curves)
  zeroth = float((np.abs(harmonics[0]) ** 2).sum())
  first = float((2 * np.abs(harmonics[1]) ** 2).sum())  # with its mirror image: mean square of a cos + b sin
  return zeroth / (zeroth + first) if zeroth + first > 0 else math.nan


def dyssynchrony_index(times: np.ndarray, cycle: float) -> float:
  """Returns SDI: the standard deviation of the times to the minimum `[N]` as % of the cycle, both in ms.

  Kapetanakis et al., Circulation 2005;112:992, of volumes; here of what its caller gives.
  """
  return 100 * float(np.std(times, ddof=1)) / cycle if len(times) > 1 else math.nan
