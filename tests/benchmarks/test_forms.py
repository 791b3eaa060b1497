"""Forms of the convolution that `benchmarks.gpu` times: all the same numbers, by values and by gradients."""

import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import forms
from benchmarks.gpu import STAGES
from benchmarks.gpu_networks import Program
from benchmarks.gpu_run import Run
from benchmarks.gpu_table import table
from benchmarks.recurrences import one_kernel_gradient
from ear_jax.models import conv, planes
from ear_jax.models.recurrence import ConvLSTM
from ear_jax.models.unet3d import UNet3D


def _normal(seed, *shape):
  return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32))


def _with_gradients(function, *args):
  @jax.jit
  def all_three(*args):
    y, pull = jax.vjp(function, *args)
    return y, *pull(jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

  return all_three(*args)


def _assert_close(found, expected):
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize(('c', 'f', 'kt', 'time_padding'), [(3, 4, 3, 'cyclic'), (4, 3, 3, 'zero'), (3, 3, 1, 'zero')])
@pytest.mark.parametrize('name', [name for name in forms.FORMS if name != '3d'])
def test_every_form_gives_the_same(name, c, f, kt, time_padding):
  x, kernel = _normal(0, 2, 4, 6, 8, c), _normal(1, kt, 3, 3, c, f)
  found = _with_gradients(lambda x, k: forms.FORMS[name](x, k, time_padding), x, kernel)
  _assert_close(found, _with_gradients(lambda x, k: conv.native_conv3d(x, k, time_padding), x, kernel))


@pytest.mark.parametrize('time_padding', ['zero', 'cyclic'])
def test_the_level_below_is_convolved_at_its_own_resolution(time_padding):
  low, kernel = _normal(0, 2, 3, 4, 6, 3), _normal(1, 3, 3, 3, 3, 2)
  found = _with_gradients(lambda x, k: planes.below(x, k, time_padding), low, kernel)
  up = lambda x, k: conv.native_conv3d(conv.upsample(x), k, time_padding)  # noqa: E731
  _assert_close(found, _with_gradients(up, low, kernel))


def test_a_network_computed_by_another_form_gives_the_same():
  model, x = UNet3D(filters=(2, 4), attention='channel'), _normal(0, 1, 4, 8, 8, 4)
  params = model.init(jax.random.key(0), x)
  ours = model.apply(params, x)
  asked = []

  def form(*args):
    asked.append(args[1].shape)
    return forms.FORMS['planes'](*args)

  with forms.computed_by(form, apart=True):
    _assert_close(model.apply(params, x), ours)
  assert (3, 3, 3, 4, 2) in asked  # the skip's half of the top decoder's kernel alone


def test_the_recurrence_with_one_kernel_gradient_gives_the_same():
  model, x = ConvLSTM(3), _normal(0, 2, 4, 4, 6, 3)
  params = model.init(jax.random.key(0), x)
  found = _with_gradients(lambda p, x: one_kernel_gradient(p, x, conv.matmul_conv2d), params, x)
  _assert_close(found, _with_gradients(model.apply, params, x))


def test_every_stage_names_what_there_is():
  for stage in STAGES:
    assert callable(pkgutil.resolve_name(f'benchmarks.{stage.module}:measure'))
    for fields in stage.options.get('programs', ()):
      program = Program(**fields)
      assert program.form in forms.FORMS
      assert program.apart is (program.form != '3d') or 'joined' in program.title


def test_results_become_a_table(tmp_path):
  run = Run('step', str(tmp_path / 'found.jsonl'), toy=True)
  run.write(what='compiled', program='ear3d', seconds=20.5, gb=2.5)
  run.write(what='network', program='ear3d', ms=30.06)
  run.write(what='ended', cut_off=False, code=0, seconds=40.0, said='')
  *_, row = table(run.output).splitlines()
  assert [cell.strip() for cell in row.split('|')[1:-1]] == [
    'step',
    'ear3d',
    '30.06',
    '',
    '',
    '',
    '',
    '20.5',
    '',
    '2.5',
  ]
