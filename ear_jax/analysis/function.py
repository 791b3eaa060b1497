"""The numbers that sum up a study's motion: strains, torsion, s' e' a', asynchrony, gradients, each with its error.

One row a number: quantity, where, value, standard error, unit, and what was withheld and why. Standard errors are of
noise alone; what contours and partial volume add is in docs/results.md. A value whose standard error is above the
limit of `strain` is not given.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from ear_jax.analysis import segments, timing
from ear_jax.analysis.deformation import Deformation, at_times
from ear_jax.analysis.markers import PEAKS
from ear_jax.analysis.motion import COMPONENTS, KINDS, SliceMotion
from ear_jax.analysis.strain import CIRCUMFERENTIAL, LARGEST_ERROR, LARGEST_RATE_ERROR
from ear_jax.analysis.velocity import known_mean

COLUMNS = ('quantity', 'where', 'value', 'standard_error', 'unit', 'withheld')
LARGEST_TIME_ERROR = 10.0  # ms
_FRAMES = 50  # of the windows of markers
_FILLING = 0.35  # of the cycle, after end systole: where the early diastolic peak lies
_SHORTENING = {'radial': 1, 'circumferential': -1, 'longitudinal': -1}  # sign of the systolic strain
_MM_PER_CM = 10.0


class Row(NamedTuple):
  """One number; `withheld` is '' or why there is no value."""

  quantity: str
  where: str
  value: float
  standard_error: float
  unit: str
  withheld: str = ''


def measures(deformation: Deformation) -> pd.DataFrame:
  """Returns one row a number of the study, columns as in `COLUMNS`; no row where no slice holds a wall."""
  if not deformation.motions:
    return pd.DataFrame(columns=list(COLUMNS))
  rows = [
    *_strains(deformation),
    *_rates(deformation),
    *_turning(deformation),
    *_waves(deformation),
    *_asynchrony(deformation),
    *_gradients(deformation),
    Row(
      'volume residual',
      'whole wall',
      float(np.mean(deformation.residual)),
      math.nan,
      '%',
      _missing(deformation.residual),
    ),
  ]
  return pd.DataFrame([_judged(row) for row in rows], columns=list(COLUMNS))


def segment_table(deformation: Deformation) -> pd.DataFrame:
  """Returns 17 rows, the segments of `segments.NAMES`, with their end-systolic strains (%).

  Columns segment, name, then for radial, circumferential and longitudinal the strain and its standard error, and
  withheld: '' or why. A value with an error above the limit is NaN, and so are the cap and levels without a slice.
  """
  table = pd.DataFrame({'segment': range(1, 18), 'name': segments.NAMES})
  said = np.array([''] * 17, object)
  said[-1] = 'no short-axis slice shows the cap'
  for kind, name in enumerate(KINDS[:3]):
    value, error = np.full(17, math.nan), np.full(17, math.nan)
    if deformation.motions and not math.isnan(deformation.end_systole):
      turned = deformation.motions[0].settings.orientation
      ends = [deformation.at_end_systole(k) for k in range(len(deformation.motions))]
      value, error = (
        segments.gather(
          [getattr(one.strain, of)['angular24'][:, t, kind] for one, t in zip(deformation.motions, ends, strict=True)],
          deformation.levels,
          turned,
        )
        for of in ('strain', 'strain_error')
      )
    noise = error > LARGEST_ERROR[name]
    said[noise] = [f'{one}; {name}: noise'.lstrip('; ') for one in said[noise]]
    table[f'{name}_percent'], table[f'{name}_standard_error'] = np.where(noise, math.nan, value), error
  return table.assign(withheld=said)


def _judged(row: Row) -> Row:
  """The row without a value that is noise."""
  limits = {**LARGEST_ERROR, **{f'{k} rate': v for k, v in LARGEST_RATE_ERROR.items()}}
  limit = {'ms': LARGEST_TIME_ERROR}.get(row.unit) if 'time to peak' in row.quantity else None
  for kind in KINDS:
    if row.quantity.startswith(kind):
      limit = limits[f'{kind} rate' if row.unit == '1/s' else kind] if row.unit in ('%', '1/s') else limit
  if limit is not None and row.standard_error > limit:
    return row._replace(
      value=math.nan, withheld=f'noise: its standard error {row.standard_error:.2g} is above {limit:g}'
    )
  if math.isnan(row.value) and not row.withheld:
    return row._replace(withheld='a slice or a frame that it needs is not known')
  return row


def _missing(values: np.ndarray) -> str:
  return 'the slices have no longitudinal strain' if np.isnan(values).any() else ''


def _over_slices(deformation: Deformation, name: str, group: str = 'global', region: int = 0) -> np.ndarray:
  """The mean `[T, 4]` over slices of a quantity of strain, at the first one's frames; of an error, that of the mean."""
  frames = len(deformation.motions[0].mask)
  every = [at_times(getattr(one.strain, name)[group][region].T, frames).T for one in deformation.motions]
  return np.sqrt(np.mean(np.square(every), 0) / len(every)) if name.endswith('error') else np.mean(every, 0)


def _strains(deformation: Deformation) -> Iterator[Row]:
  end = deformation.at_end_systole(0)
  if end < 0:
    return
  strain, error = (_over_slices(deformation, name)[end] for name in ('strain', 'strain_error'))
  for kind in range(3):
    yield Row(f'{KINDS[kind]} strain', 'whole wall', strain[kind], error[kind], '%')
  for layer, name in enumerate(('inner', 'middle', 'outer')):
    strain, error = (_over_slices(deformation, name, 'layers', layer)[end] for name in ('strain', 'strain_error'))
    yield Row(f'{KINDS[CIRCUMFERENTIAL]} strain', f'{name} third', strain[1], error[1], '%')


def _rates(deformation: Deformation) -> Iterator[Row]:
  frames, end = len(deformation.motions[0].mask), deformation.at_end_systole(0)
  if end < 0:
    return
  rate, error = _over_slices(deformation, 'rate'), np.sqrt(known_mean(_over_slices(deformation, 'rate_error') ** 2, 0))
  for kind, sign in enumerate(_SHORTENING.values()):
    windows = (('systolic', 0, end, sign), ('early diastolic', end, end + _FILLING * frames, -sign))
    for when, begin, stop, way in windows:
      value = timing.peak(rate[:, kind], begin, stop, way)[1]
      yield Row(f'{KINDS[kind]} strain rate, {when} peak', 'whole wall', value, error[kind], '1/s')


def turning(deformation: Deformation) -> pd.DataFrame:
  """Returns how the last slice turns against the first, one row a frame of the first.

  Columns base and apex (the two slices), frame, normalised_cycle (from 0), twist_deg (last minus first) and its
  standard error twist_error_deg, twist_rate_deg_s, torsion_deg_cm and torsion_rate_deg_s_cm (per cm between them),
  torsion_deg (the circumferential-longitudinal shear angle, twist times the sum of both mean radii over twice the
  distance: Young and Cowan, JCMR 2012;14:49), positive (how a positive twist turns).
  Torsion is NaN where the distance is not known, all are where there is one slice.
  """
  first, last = deformation.motions[0], deformation.motions[-1]
  frames = len(first.mask)
  per_cm, shear = _per_twist(deformation)
  twist = at_times(last.strain.rotation, frames) - first.strain.rotation
  error = np.hypot(at_times(last.strain.rotation_error, frames), first.strain.rotation_error)
  if len(deformation.motions) < 2:
    twist = np.full(frames, math.nan)
  rate = _slope(twist, first.frame_interval)
  return pd.DataFrame(
    {
      'base': _name(first),
      'apex': _name(last),
      'frame': range(frames),
      'normalised_cycle': np.arange(frames) / frames,
      'twist_deg': twist,
      'twist_error_deg': error,
      'twist_rate_deg_s': rate,
      'torsion_deg_cm': twist * per_cm,
      'torsion_rate_deg_s_cm': rate * per_cm,
      'torsion_deg': twist * shear,
      'positive': f'{first.settings.seen_from_apex} seen from the apex',
    }
  )


def _slope(curve: np.ndarray, frame_interval: float) -> np.ndarray:
  """The slope of a periodic curve `[T]`, per second, by its Fourier series."""
  frames = len(curve)
  spectrum = np.fft.rfft(curve) * 2j * np.pi * np.fft.rfftfreq(frames, frame_interval / 1000)
  if frames % 2 == 0:
    spectrum[-1] = 0
  return np.fft.irfft(spectrum, frames)


def _per_twist(deformation: Deformation) -> tuple[float, np.ndarray]:
  """What a degree of twist is in deg/cm, and of the shear angle `[T]`; NaN where the distance is not known."""
  first, last = deformation.motions[0], deformation.motions[-1]
  distance = float(deformation.depth[-1] - deformation.depth[0]) or math.nan
  radii = at_times(last.strain.radius, len(first.mask)) + first.strain.radius
  return _MM_PER_CM / distance, radii / (2 * distance)


def _turning(deformation: Deformation) -> Iterator[Row]:
  end = deformation.at_end_systole(0)
  why = '' if len(deformation.motions) > 1 else 'there is one slice only'
  if end < 0:
    return
  table = turning(deformation)
  frames, first = len(table), deformation.motions[0]
  at = table.iloc[end]
  where = f'{_name(deformation.motions[-1])} against {_name(first)}; positive = {at["positive"]}'
  yield Row('twist', where, at['twist_deg'], at['twist_error_deg'], 'deg', why)
  apart = why or ('' if np.isfinite(deformation.depth).all() else 'the distance of the slices is not known')
  per_cm, shear = _per_twist(deformation)
  yield Row('torsion, per length', where, at['torsion_deg_cm'], at['twist_error_deg'] * per_cm, 'deg/cm', apart)
  yield Row('torsion, shear angle', where, at['torsion_deg'], at['twist_error_deg'] * shear[end], 'deg', apart)
  rate = table['twist_rate_deg_s'].to_numpy()
  place, value = timing.peak(rate, end, end + _FILLING * frames, -1 if at['twist_deg'] > 0 else 1)
  yield Row('untwisting rate', where, value, math.nan, 'deg/s', why)
  yield Row('time of the untwisting rate', where, place * first.frame_interval, math.nan, 'ms', why)


def _waves(deformation: Deformation) -> Iterator[Row]:
  """Peak longitudinal velocities of the base: s' in systole, e' in early diastole, a' with the atrium."""
  base = next(
    (one for one, level in zip(deformation.motions, deformation.levels, strict=True) if level == 'base'), None
  )
  why = '' if base is not None else 'there is no basal slice'
  peaks = {}
  for wall, of in (('septal', segments.SEPTAL), ('lateral', segments.LATERAL)):
    for wave, marker in (("s'", 'PS'), ("e'", 'PD'), ("a'", 'PAS')):
      value = error = math.nan
      if base is not None:
        chosen = [s for number in of for s in segments.sectors_of(number, base.settings.orientation)]
        value = _peak(base.curves['angular24'][chosen, :, 0].mean(0), marker)[1]
        error = float(known_mean(base.strain.descent_rate_error[chosen].ravel(), 0)) / _MM_PER_CM
      peaks[wave, wall] = abs(value)
      yield Row(wave, f'{wall} base', abs(value), error, 'cm/s', why)
  for wall in ('septal', 'lateral'):
    early, late = peaks["e'", wall], peaks["a'", wall]
    yield Row("e'/a'", f'{wall} base', early / late if late else math.nan, math.nan, '', why)


def _peak(curve: np.ndarray, marker: str) -> tuple[float, float]:
  """Place (frames) and value of a marker's peak, finer than a frame."""
  first, last, sign = PEAKS[marker]
  return timing.peak(curve, first * len(curve) / _FRAMES, last * len(curve) / _FRAMES, sign)


def times_to_peak(deformation: Deformation, component: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the times to the systolic peak of the segments 1 to 16, ms, and their standard errors, `[16]` both.

  Args:
    deformation: the study.
    component: of `motion.COMPONENTS`.
  """
  index, times, errors = COMPONENTS.index(component), np.full(16, math.nan), np.full(16, math.nan)
  frames, step = len(deformation.motions[0].mask), deformation.motions[0].frame_interval
  every = [at_times(one.curves['angular24'][..., index], frames) for one in deformation.motions]
  curves = segments.gather(every, deformation.levels, deformation.motions[0].settings.orientation)[:16]
  noise = [at_times(one.strain.descent_rate_error, frames) / _MM_PER_CM for one in deformation.motions]
  noise = [
    part * (one.strain.noise[0] / one.strain.noise[2] if component != COMPONENTS[0] else 1.0)
    for part, one in zip(noise, deformation.motions, strict=True)
  ]
  error = segments.gather(noise, deformation.levels, deformation.motions[0].settings.orientation)[:16]
  first, last, sign = PEAKS['PS']
  begin, stop = first * frames / _FRAMES, last * frames / _FRAMES
  for k, curve in enumerate(curves):
    times[k], errors[k] = timing.time_to_peak(curve, begin, stop, sign, noise=float(np.mean(error[k])))
  return times * step, errors * step


def _asynchrony(deformation: Deformation) -> Iterator[Row]:
  base_and_mid = {'base', 'mid'} <= set(deformation.levels)
  why = '' if base_and_mid else 'it needs a basal and a mid slice'
  first = deformation.motions[0]
  frames, step = len(first.mask), first.frame_interval
  for component in ('longitudinal', 'radial'):
    times, errors = times_to_peak(deformation, component)
    error = float(np.sqrt(np.mean(errors[:12] ** 2)))
    yield Row(f'SD of {component} time to peak', '12 segments', timing.spread(times[:12]), error, 'ms', why)
    septal, lateral = (times[np.array(of) - 1].mean() for of in (segments.SEPTAL, segments.LATERAL))
    yield Row(f'{component} time to peak, lateral minus septal', 'base', lateral - septal, error, 'ms', why)
    every = [at_times(one.curves['angular24'][..., COMPONENTS.index(component)], frames) for one in deformation.motions]
    curves = segments.gather(every, deformation.levels, first.settings.orientation)[:12]
    delays = np.array([timing.lag(curve, curves.mean(0)) for curve in curves]) * step
    yield Row(f'SD of {component} cross-correlation delay', '12 segments', timing.spread(delays), math.nan, 'ms', why)
  shortening = [at_times(one.strain.strain['angular24'][..., CIRCUMFERENTIAL], frames) for one in deformation.motions]
  even = [timing.uniformity(one) for one in shortening]
  yield Row('uniformity of circumferential strain (CURE)', 'mean of slices', float(np.mean(even)), math.nan, '')
  of = segments.gather(shortening, deformation.levels, first.settings.orientation)[:16]
  of = of[np.isfinite(of).all(1)]
  places = np.array([timing.peak(one, 0, 0.7 * frames, -1)[0] for one in of]) * step
  index = timing.dyssynchrony_index(places, frames * step)
  yield Row('dyssynchrony index of circumferential strain (SDI)', f'{len(of)} segments', index, math.nan, '%')


def _gradients(deformation: Deformation) -> Iterator[Row]:
  """Slopes of straight lines through the slices' longitudinal peaks over their places, from base to apex."""
  known = np.isfinite(deformation.depth).all() and len(deformation.motions) > 1
  why = '' if known else 'the distance of the slices is not known'
  for marker in ('PS', 'PD'):
    slope = math.nan
    if known:
      peaks = np.array([_peak(one.curves['global'][0, :, 0], marker)[1] for one in deformation.motions])
      slope = float(np.polyfit(deformation.depth / _MM_PER_CM, peaks, 1)[0])
    yield Row(f'gradient of longitudinal {marker}', 'base to apex', slope, math.nan, 'cm/s/cm', why)


def _name(motion: SliceMotion) -> str:
  return motion.name.rpartition('/')[2]
