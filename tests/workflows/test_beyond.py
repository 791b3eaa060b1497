"""A stack that goes beyond base and apex: slices without a ventricle are a state of their own; case N5."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest

import ear_jax
from ear_jax.cine import Study
from ear_jax.networks.segment import Delineation
from ear_jax.phantom import study as phantom
from ear_jax.workflows import examine as one_slice
from ear_jax.workflows import predict as workflow
from ear_jax.workflows.examine import Options

NETWORK = types.SimpleNamespace(name='stub', source='stub', told='stub, trained on nothing')


@pytest.fixture
def stack(monkeypatch):
  """Five slices: nothing is delineated in the first, and something that is no wall in the last."""
  true = [phantom.render(plan) for plan in phantom.first_visit('mini', seed=1)]
  rng = np.random.default_rng(0)
  noise = np.abs(rng.normal(300, 100, true[0].video.shape)).astype(np.float32)
  noise[..., 1:] = rng.uniform(-1, 1, noise[..., 1:].shape) * np.float32(true[0].venc)
  cines = [true[0].replace(video=noise), *true, true[0].replace(video=noise)]
  wall = [np.zeros_like(true[0].mask), *(one.mask for one in true), true[1].mask]
  unmarked = {'mask': np.zeros_like(true[0].mask), 'annotated': np.zeros(len(true[0].mask), bool)}
  cines = [one.replace(slice_id=f's{k}', dataset='x', subject='x', **unmarked) for k, one in enumerate(cines)]
  found = {f's{k}': Delineation(mask.astype(np.float32), np.zeros(len(mask)), (0, 0)) for k, mask in enumerate(wall)}
  monkeypatch.setattr(one_slice, 'segment', lambda cine, *_, **__: found[cine.slice_id])
  monkeypatch.setattr(workflow, 'recognise', lambda *_: (None, ''))
  return Study('x', 'x', tuple(cines))


@pytest.fixture
def leaving(monkeypatch):
  """Four slices; in the first one's systole a third of the wall is missing. They do not say where they lie."""
  plan = phantom.first_visit('mini', seed=1)[0]
  true = [
    phantom.render(dataclasses.replace(plan, position=p, slice_id=f's{k}')) for k, p in enumerate((0, 0.4, 0.7, 1))
  ]
  wall = [one.mask.copy() for one in true]
  gone = abs(np.arange(len(wall[0])) - wall[1].sum((1, 2)).argmax()) < 3
  middle = int(np.argwhere(wall[0].any(0))[:, 1].mean())
  wall[0][gone, :, middle:] *= (abs(np.arange(wall[0].shape[1]) - np.argwhere(wall[0].any(0))[:, 0].mean()) > 14)[
    :, None
  ]
  found = {f's{k}': Delineation(mask.astype(np.float32), np.zeros(len(mask)), (0, 0)) for k, mask in enumerate(wall)}
  unmarked = {'mask': np.zeros_like(true[0].mask), 'annotated': np.zeros(len(true[0].mask), bool)}
  monkeypatch.setattr(one_slice, 'segment', lambda cine, *_, **__: found[cine.slice_id])
  monkeypatch.setattr(workflow, 'recognise', lambda *_: (None, ''))
  return gone, Study('x', 'x', tuple(one.replace(dataset='x', subject='x', **unmarked) for one in true))


def test_a_slice_that_the_ventricle_leaves_in_systole_does_not_fail_and_has_no_curves(leaving, tmp_path, monkeypatch):
  gone, study = leaving
  written = []
  monkeypatch.setattr(workflow, '_write', lambda *of: written.extend(of))  # which takes most of the time
  monkeypatch.setattr(workflow.deformation_files, 'tell', lambda _: None)
  summary = ear_jax.predict(study, tmp_path, [NETWORK], Options(septum_angle=90.0))
  said = [check for check in summary['checks'] if check['status'] in ('beyond', 'partly')]
  assert [(check['slice_id'], check['status']) for check in said] == [('s0', 'partly')]
  assert f'the ventricle leaves this plane in {gone.sum()} of 16 frames round end systole' in said[0]['reason']
  assert said[0]['reason'].endswith('no velocity curves of this slice')
  assert summary['verdict'] in ('pass', 'warn')
  first = summary['slices'][0]
  assert first['holds_ventricle']
  assert [value is None for value in first['expected_dice_by_frame']] == gone.tolist()
  assert first['expected_dice'] == pytest.approx(np.mean([v for v in first['expected_dice_by_frame'] if v]), abs=1e-3)
  (count,) = [c['reason'] for c in summary['checks'] if (c['slice_id'], c['name']) == ('s0', 'contours')]
  assert count.startswith(f'0 of {16 - gone.sum()} frames without contours')
  _, _, slices, _, _, _, deformed, *_ = written
  curves = [one.result.motion.curves['global'] for one in slices]
  assert np.isnan(curves[0]).all()
  assert np.isfinite(curves[1:]).all()
  assert [one.name for one in deformed.motions] == ['x/s1', 'x/s2', 'x/s3']
  assert [bool(flag) for flag in slices[0].page.motion.contours.flags] == gone.tolist()


def test_the_verdict_is_of_the_slices_that_hold_the_ventricle(stack, tmp_path):
  summary = ear_jax.predict(stack, tmp_path, [NETWORK], Options(septum_angle=90.0))
  assert 'reference' not in summary  # no contours came with it
  beyond = {check['slice_id']: check['reason'] for check in summary['checks'] if check['status'] == 'beyond'}
  assert set(beyond) == {'s0', 's4'}
  assert all('no left ventricle is found at this end of the stack' in reason for reason in beyond.values())
  assert summary['verdict'] in ('pass', 'warn')
  assert not summary['curves_withheld']
  assert [one['holds_ventricle'] for one in summary['slices']] == [False, True, True, True, False]
  curves = pd.read_csv(tmp_path / 'curves.csv')
  known = curves.dropna(subset='velocity_cm_s') if 'velocity_cm_s' in curves else curves.dropna()
  assert set(known['slice']) == {'s1', 's2', 's3'}
  page = (tmp_path / 'report.html').read_text()
  assert page.count('No velocity curves of this slice.') == 2
  assert page.count('class="plot"') == 3


def test_a_slice_between_two_that_hold_it_fails(stack, tmp_path):
  order = [1, 0, 2, 3]
  cines = tuple(stack[k] for k in order)
  summary = ear_jax.predict(dataclasses.replace(stack, cines=cines), tmp_path, [NETWORK], Options(septum_angle=90.0))
  assert summary['verdict'] == 'fail'
  assert not [check for check in summary['checks'] if check['status'] in ('beyond', 'partly')]
