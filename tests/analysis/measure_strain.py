"""Holds strain, torsion and timing against exact motion: `python tests/analysis/measure_strain.py`.

People of `phantom_other`, each at two visits at a signal-to-noise ratio of 20 with 50 frames, and those of another
generator (`tests/phantom/strangers.py`) at noise of their own. Truth is the displacement of material points by the
formulas of their motion, differentiated. A visit has a heart rate and slices of its own, so that the truths of two
visits differ; each person has therefore a third scan, of the heart as it was at the first visit: the same cycle and
slices, but another place, angle, flow and noise. Prints the tables of docs/results.md; `--network` adds what
the masks of the network that ships make of it. Without it all takes under ten minutes of processor time.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple
from unittest import mock

import numpy as np

from ear_jax.analysis.deformation import deform
from ear_jax.analysis.function import times_to_peak, turning
from ear_jax.analysis.motion import COMPONENTS, KINDS, SliceMotion
from ear_jax.analysis.septum import Septum
from ear_jax.analysis.slices import analyse
from ear_jax.cine import Cine, Place
from ear_jax.networks.load import load_network
from ear_jax.phantom import anatomy, study
from ear_jax.system.table import Table, markdown

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'phantom'))
SNR = 20.0
OTHER = dataclasses.replace(study.MINI, rescans=12, slices=(24,), frames=50, sharing=0.1)  # frames of 14 to 24 ms
LIMITS = {'radial': 4.0, 'circumferential': 1.0, 'longitudinal': 1.0, 'torsion': 0.5, 'twist': 0.5, 'rate': 0.1}
_STEP = 1e-4  # of a difference quotient, mm and rad
_AGAIN = {'two visits': '-b', 'two scans of one heart': '-c'}
_RESCAN = 2  # index of the visit that has the heart of the first
_ANGLES = 60  # of material points: their mean is exact for the low harmonics of a wall
Field = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # two material coordinates and time to a place


class Truth(NamedTuple):
  """What is exactly so in a slice.

  Attributes:
    strain: `[T, 3]` %, radial, circumferential, longitudinal (NaN: not defined).
    rate: `[T]` 1/s, circumferential.
    rotation: `[T]` deg, counter-clockwise on the array.
    radius: `[T]` mm, mean of the wall.
    peak: ms, when the tissue descends fastest in systole.
  """

  strain: np.ndarray
  rate: np.ndarray
  rotation: np.ndarray
  radius: np.ndarray
  peak: float


class Person(NamedTuple):
  """One scan: found and true strains `[3]` %, errors of torsion (the shear angle) and twist (deg), of the
  circumferential rate (1/s, over the cycle) and of the times to peak of 16 segments (ms)."""

  who: str
  found: np.ndarray
  true: np.ndarray
  torsion: float
  twist: float
  rate: float
  times: np.ndarray


def material(field: Field, first: np.ndarray, second: np.ndarray, centre: Callable, rr: float, times: np.ndarray):
  """Returns strains `[T, 2]`, and circumferential rate, rotation and mean radius `[T]`, of points (first, second).

  F by difference quotients of places, L by those of places a moment later; means over area at the frame that the
  quantity is of.
  """

  def tangents(t):
    columns = [
      (field(first + a, second + b, t) - field(first - a, second - b, t))[..., :2] / (2 * _STEP)
      for a, b in ((_STEP, 0), (0, _STEP))
    ]
    return np.stack(columns, -1)

  def axes(t):
    away = field(first, second, t)[..., :2] - centre(t)
    out = away / np.linalg.norm(away, axis=-1, keepdims=True)
    return out, np.stack([-out[..., 1], out[..., 0]], -1), np.arctan2(away[..., 1], away[..., 0])

  start, (out, along, angle) = tangents(0.0), axes(0.0)
  area = np.abs(np.linalg.det(start))
  strain, rate, rotation, radius = [], [], [], []
  for t in times:
    now, later, sooner = tangents(t), tangents(t + 1e-5), tangents(t - 1e-5)
    f = now @ np.linalg.inv(start)
    stretches = [np.linalg.norm(np.einsum('...ij,...j', f, one), axis=-1) - 1 for one in (out, along)]
    strain.append([100 * (one * area).sum() / area.sum() for one in stretches])
    gradient = (later - sooner) / (2e-5 * rr) @ np.linalg.inv(now)
    _, along_now, angle_now = axes(t)
    of = np.einsum('...i,...ij,...j', along_now, gradient, along_now)
    size = np.abs(np.linalg.det(now))
    rate.append((of * size).sum() / size.sum())
    turned = (angle_now - angle + np.pi) % (2 * np.pi) - np.pi
    rotation.append(-np.rad2deg((turned * area).sum() / area.sum()))  # rows grow downwards
    away = np.linalg.norm(field(first, second, t)[..., :2] - centre(t), axis=-1)
    radius.append((away * size).sum() / size.sum())
  return np.array(strain), np.array(rate), np.array(rotation), np.array(radius)


def phantom_truth(plan: study.SlicePlan) -> Truth:
  """Returns what is exactly so in a slice of our phantom."""
  _, visit, motion = study.people(plan)
  turn = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
  endo, epi = motion.wall.borders(turn)
  share = (np.arange(7)[:, None] + 0.5) / 7
  radius, angle = endo + share * (epi - endo), np.broadcast_to(turn, (7, _ANGLES))
  times = study.times(plan.size)

  def centre(t):
    return motion.forward(epi, turn, t)[:, :2].mean(0)

  strain, rate, rotation, radius = material(motion.forward, radius, angle, centre, visit.timing.rr, times)
  long = [-100 * motion.strain * motion.at(t).descent for t in times]
  peak = 1000 * visit.timing.rr * fastest(lambda t: motion.at(t).descent_rate)
  return Truth(np.column_stack([strain, long]), rate, rotation, radius, peak)


def fastest(speed: Callable[[float], float]) -> float:
  """Returns when a speed is largest in systole, in cycles."""
  first = max(np.arange(0, 0.35, 5e-3), key=speed)
  return float(max(np.arange(first - 5e-3, first + 5e-3, 1e-4), key=speed))


def scan(plan: study.SlicePlan) -> Cine:
  """Returns the scanned slice with its place."""
  subject, visit, _ = study.people(plan)
  height = float(np.clip(plan.position + visit.slice_shift, 0, 1)) * subject.heart.length
  return study.render(plan).replace(place=Place((0.0, 0.0, height), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))


def people(count: int) -> Iterator[tuple[str, list[tuple[Cine, Truth]]]]:
  """Yields visits a and b, and c, a rescan of a, of the first people of `phantom_other`, with the noise of SNR."""
  draw, drawn = anatomy.draw_visit, study.people

  def at_snr(rng, *, offset):
    return dataclasses.replace(draw(rng, offset=offset), snr=SNR)

  def same_heart(plan):
    subject, visit, motion = drawn(plan)
    if plan.visit_index == _RESCAN:
      first = drawn(dataclasses.replace(plan, visit_index=0))[1]
      visit = dataclasses.replace(visit, timing=first.timing, slice_shift=first.slice_shift)
      motion = anatomy.wall_motion(subject, visit, plan.position)
    return subject, visit, motion

  with mock.patch.object(anatomy, 'draw_visit', at_snr), mock.patch.object(study, 'people', same_heart):
    plans = [plan for plan in study.plan(OTHER, 1) if plan.subject_index < count]
    plans += [
      dataclasses.replace(plan, dataset=f'{plan.subject}-c', visit_index=_RESCAN)
      for plan in plans
      if plan.visit_index == 0
    ]
    for name in dict.fromkeys(plan.dataset for plan in plans):
      yield name, [(scan(plan), phantom_truth(plan)) for plan in plans if plan.dataset == name]


def others(count: int) -> Iterator[tuple[str, list[tuple[Cine, Truth]]]]:
  """Yields people of the other generator; their slices have no distance, and so no longitudinal strain."""
  import strangers

  rings, slices, scans = [], [], strangers._scan

  def scanned(ring, *arguments):
    rings.append(ring)
    return scans(ring, *arguments)

  with mock.patch.object(strangers, '_scan', scanned):
    for k, one in enumerate(strangers.strangers(count, frames=50)):
      slices = [] if k % 3 == 0 else slices
      slices.append((one.cine, stranger_truth(rings[-1], len(one.cine.video))))
      if k % 3 == 2:
        yield one.cine.dataset, slices


def stranger_truth(ring, frames: int) -> Truth:
  """Returns what is exactly so in a slice of the other generator."""
  turn = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
  share, angle = np.meshgrid((np.arange(7) + 0.5) / 7, turn, indexing='ij')

  def centre(t):
    return ring.where(1.0, turn, t)[:, :2].mean(0)

  strain, rate, rotation, radius = material(ring.where, share, angle, centre, ring.rr, np.arange(frames) / frames)
  peak = 1000 * ring.rr * fastest(lambda t: ring.velocity(np.zeros(1), np.zeros(1), t)[0, 2])
  nowhere = np.full(frames, np.nan)
  return Truth(np.column_stack([strain, nowhere]), rate, rotation, radius, peak)


def person(name: str, slices: list[tuple[Cine, Truth]], masks: list[np.ndarray]) -> Person:
  """Returns the numbers of one scan, its slices delineated by `masks`."""
  motions: list[SliceMotion] = [
    analyse(cine, mask, septum=Septum(0.0, '', True)) for (cine, _), mask in zip(slices, masks, strict=True)
  ]
  done = deform(motions)
  ends = [done.at_end_systole(k) for k in range(len(done.motions))]
  truths = [truth for (_, truth), one in zip(slices, motions, strict=True) if not one.contours.failed.all()]
  found = np.mean([one.strain.strain['global'][0, t, :3] for one, t in zip(done.motions, ends, strict=True)], 0)
  true = np.mean([truth.strain[t] for truth, t in zip(truths, ends, strict=True)], 0)
  twist, true_twist = (
    last[ends[-1]] - first[ends[0]]
    for first, last in (
      (done.motions[0].strain.rotation, done.motions[-1].strain.rotation),
      (truths[0].rotation, truths[-1].rotation),
    )
  )
  true_radii = truths[0].radius[ends[0]] + truths[-1].radius[ends[-1]]
  true_torsion = true_twist * true_radii / (2 * (done.depth[-1] - done.depth[0]))
  torsion = turning(done)['torsion_deg'][ends[0]]
  rate = np.mean([one.strain.rate['global'][0, :, 1] for one in done.motions], 0)
  true_rate = np.mean([truth.rate for truth in truths], 0)
  rate_error = float(np.sqrt(np.mean((rate - rate.mean() - true_rate + true_rate.mean()) ** 2)))
  times, _ = times_to_peak(done, COMPONENTS[0])
  return Person(name, found, true, torsion - true_torsion, twist - true_twist, rate_error, times - truths[0].peak)


def intraclass(first: np.ndarray, second: np.ndarray) -> float:
  """Returns ICC(2,1) of two scans `[N]` each: absolute agreement, two-way random effects (Shrout and Fleiss, 1979)."""
  both = np.stack([first, second], 1)
  n, grand = len(both), both.mean()
  persons = 2 * ((both.mean(1) - grand) ** 2).sum() / (n - 1)
  visits = n * ((both.mean(0) - grand) ** 2).sum()
  rest = ((both - both.mean(1, keepdims=True) - both.mean(0) + grand) ** 2).sum() / (n - 1)
  return float((persons - rest) / (persons + rest + 2 * (visits - rest) / n))


def lines(scans: list[Person]) -> list[list[str]]:
  """Returns a line a quantity: mean truth, bias, SD, largest error of the scans, and how many keep the limit."""
  found, true = (np.array([getattr(one, name) for one in scans]) for name in ('found', 'true'))
  errors = {f'{kind} strain (%)': (found - true)[:, k] for k, kind in enumerate(KINDS[:3])}
  errors |= {'torsion, shear angle (deg)': np.array([one.torsion for one in scans])}
  errors |= {'twist (deg)': np.array([one.twist for one in scans])}
  errors |= {'circumferential rate, RMS over the cycle (1/s)': np.array([one.rate for one in scans])}
  means = [*(f'{value:+.1f}' for value in true.mean(0)), '', '', '']
  rows = []
  for (name, error), limit, mean in zip(errors.items(), LIMITS.values(), means, strict=True):
    if np.isfinite(error).all():
      kept = f'{np.count_nonzero(np.abs(error) <= limit)} of {len(error)} within {limit:g}'
      rows.append([name, mean, f'{error.mean():.2f}', f'{error.std(ddof=1):.2f}', f'{np.abs(error).max():.2f}', kept])
  late = np.array([one.times for one in scans])
  for name, part in (('12 basal and mid', late[:, :12]), ('4 apical', late[:, 12:])):
    told = [f'{value:.1f}' for value in (part.mean(), part.std(ddof=1), np.abs(part).max())]
    kept = f'{np.count_nonzero(np.abs(part) <= 5)} of {part.size} within 5'
    rows.append([f'time to longitudinal peak, {name} segments (ms)', '', *told, kept])
  return rows


def repeated(scans: list[Person]) -> str:
  """Returns the ICC of global strains of two visits, and of two scans of one heart, beside those of their truths."""

  def of(name: str, other: str) -> str:
    first, second = (np.array([getattr(one, name) for one in scans if one.who.endswith(v)]) for v in ('-a', other))
    return ', '.join(f'{intraclass(first[:, k], second[:, k]):.3f}' for k in range(3))

  lines_of = [f'{what}: {of("found", v)}; of the truths: {of("true", v)}' for what, v in _AGAIN.items()]
  return f'ICC ({", ".join(KINDS[:3])}) of ' + ', of '.join(lines_of)


def main() -> None:
  """Prints the tables; arguments: `--network`, and `--people=N` for fewer than 12."""
  count = next((int(a.partition('=')[2]) for a in sys.argv if a.startswith('--people=')), 12)
  network = load_network('ear3d-phantom') if '--network' in sys.argv else None
  header = ['', 'truth', 'bias', 'SD', 'largest', 'within the limit']
  sources = {
    'phantom_other, two visits and a rescan each': people,
    'strangers': others,
  }
  for title, source in sources.items():
    scans: dict[str, list[Person]] = {'exact masks': []}
    for name, slices in source(count):
      scans['exact masks'].append(person(name, slices, [cine.mask for cine, _ in slices]))
      if network:
        masks = [network.segment(cine).probability for cine, _ in slices]
        scans.setdefault('masks of a network', []).append(person(name, slices, masks))
    for masks_of, those in scans.items():
      print(f'\n{title}, {masks_of}: {len(those)} scans\n')
      print(markdown(Table('', header, lines(those)), rule='|' + '---|' * len(header)))
      if source is not others:
        print(f'\n{repeated(those)}')
      sys.stdout.flush()


if __name__ == '__main__':
  main()
