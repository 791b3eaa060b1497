"""Memory of a training step on GPUs that are not here."""

import importlib.util

import jax
import jax.numpy as jnp
import pytest

from configs import base
from ear_jax.benchmarking.gpu_memory import SWITCHES, plan
from ear_jax.benchmarking.gpus import GPUS, compile_only, usable
from ear_jax.system.errors import UserError

plugin = pytest.mark.skipif(importlib.util.find_spec('jax_plugins') is None, reason='CUDA plugin not installed')


def test_an_unknown_gpu_is_one_sentence():
  with pytest.raises(UserError, match="--gpu 'h1000' is not one of rtx2080ti, rtx4090, a100, h100"):
    plan(base.get_config(), ['h1000'], 50)


@pytest.mark.skipif(importlib.util.find_spec('jax_plugins') is not None, reason='CUDA plugin installed')
def test_without_the_plugin_the_sentence_says_what_to_install():
  with pytest.raises(UserError, match=r'pip install "jax\[cuda12\]=='):
    compile_only('h100')
  assert jax.devices()  # and jax goes on as before


def test_jax_takes_three_quarters_or_what_it_is_told(monkeypatch):
  monkeypatch.delenv('XLA_PYTHON_CLIENT_MEM_FRACTION', raising=False)
  assert usable('rtx2080ti') == 0.75 * 11 * 2**30
  monkeypatch.setenv('XLA_PYTHON_CLIENT_MEM_FRACTION', '0.95')
  assert usable('rtx2080ti') == int(0.95 * 11 * 2**30)


@plugin
@pytest.mark.parametrize('name', GPUS)
def test_a_program_for_it_needs_its_arguments_and_results(name):
  device = jax.sharding.SingleDeviceSharding(compile_only(name))
  x = jax.ShapeDtypeStruct((256, 1024), jnp.float32, sharding=device)
  stats = jax.jit(lambda x: x + 1).lower(x).compile().memory_analysis()
  assert (stats.argument_size_in_bytes, stats.output_size_in_bytes) == (2**20, 2**20)


@plugin
def test_half_precision_needs_less_than_float32():
  config = base.get_config()
  config.batch_size, config.data.crop, config.model.filters = 1, 64, (8, 16)
  found = {row['switch']: row['bytes'] for row in plan(config, ['h100'], 8)}
  assert list(found) == list(SWITCHES)
  assert found['model.dtype=bfloat16'] < found['as configured']
