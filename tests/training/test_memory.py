"""What a step needs is what the compiler says, a step compiles once, and the advice holds what it promises."""

import logging
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from ear_jax.data.pipeline import batch_shapes
from ear_jax.devices import memory as device_memory
from ear_jax.devices.memory import memory_limit
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.system.errors import UserError
from ear_jax.training.memory import check_address_space, describe, refuse_too_much, step_bytes
from ear_jax.training.program import make_program

GB = 10**9


def configuration(**changes):
  config = base.get_config()
  config.data.crop = 512
  config.update_from_flattened_dict(changes)
  return config


def quadratic(config):
  """Bytes that go with pixels, cines, filters and the size of a number; 80 GB for the configuration above."""
  share = (config.data.crop / 512) ** 2 * config.batch_size / 2 * sum(config.model.filters) / 240
  return int(80 * GB * share * (0.5 if config.model.dtype == 'bfloat16' else 1) * (0.75 if config.model.remat else 1))


def refused(limit, estimate=quadratic, devices=1, platform='cpu', **changes):
  config = configuration(**changes)
  model = build_model(config.model)
  there = {'frames': 50, 'devices': devices, 'platform': platform}
  with pytest.raises(UserError) as fault:
    refuse_too_much(estimate(config), limit, config, model, **there, estimate=estimate)
  return str(fault.value)


def test_arguments_results_and_what_lives_between_are_counted_and_donated_ones_once():
  state, batch = (jax.ShapeDtypeStruct((1000,), np.float32),) * 2  # 4000 bytes each

  def step(state, batch):
    return state + batch, jnp.sum(batch)

  def needed(**options):
    return step_bytes(jax.jit(step, **options).lower(state, batch).compile())

  assert needed() - needed(donate_argnums=0) == 4000
  assert 8004 <= needed(donate_argnums=0) < 8300  # state, batch and a float32; some bytes of tables

  def squares(a):  # a product of 1 MB that has to exist before it is summed
    return jnp.sum(jnp.sin(a @ a.T) @ a)

  compiled = jax.jit(squares).lower(jax.ShapeDtypeStruct((512, 4), np.float32)).compile()
  assert 512 * 512 * 4 <= step_bytes(compiled) < 2.2 * 512 * 512 * 4


def test_what_fits_or_cannot_be_known_is_let_through_without_measuring_more():
  for need, limit in ((5, 5), (5, None)):
    refuse_too_much(need, limit, configuration(), None, frames=50, devices=1, platform='cpu', estimate=None)


def test_the_sentence_names_the_switches_that_help_with_their_numbers():
  # A crop of 512 sqrt(0.9 * 11 / 80) = 180 is 176 in steps of 16: 80 (176 / 512)^2 = 9.45 GB.
  assert refused(11 * GB) == (
    '50x512x512x4 at batch 2 needs about 80 GB of memory, there are 11 GB: set --config.data.crop=176 (about 9.45 GB); '
    'not enough alone: --config.batch_size=1 (about 40 GB), --config.model.dtype=bfloat16 (about 40 GB), '
    '--config.model.remat=True (about 60 GB), --config.model.filters=8,16,32,64 (about 40 GB)'
  )
  text = refused(45 * GB, devices=2)
  assert 'memory on each of 2 devices, there are 45 GB: set --config.data.crop=' in text
  assert ', or --config.model.dtype=bfloat16 (about 40 GB), or --config.model.filters=' in text
  assert 'batch_size' not in text  # one cine a device already


def test_a_switch_that_does_not_help_is_not_named():
  text = refused(
    45 * GB, lambda c: 90 * GB if c.model.remat else 80 * GB if c.model.dtype == 'bfloat16' else quadratic(c)
  )
  assert 'crop' in text
  assert 'remat' not in text
  assert 'dtype' not in text


def test_the_form_of_the_convolution_is_named_on_a_gpu_where_it_helps():
  def estimate(config):  # planes need a tenth more
    return int(quadratic(config) * (1.1 if config.model.gpu_convolution == 'planes' else 1))

  assert 'not enough alone: --config.batch_size=1 (about 44 GB)' in refused(11 * GB, estimate, platform='gpu')
  assert '--config.model.gpu_convolution=3d (about 80 GB)' in refused(11 * GB, estimate, platform='gpu')
  enough, _, _ = refused(85 * GB, estimate, platform='gpu').partition('not enough')
  assert 'or --config.model.gpu_convolution=3d (about 80 GB)' in enough
  for text in (refused(85 * GB, estimate), refused(11 * GB, platform='gpu')):  # on the CPU; where it does not help
    assert 'gpu_convolution' not in text
  assert 'gpu_convolution' not in refused(70 * GB, estimate, platform='gpu', **{'model.gpu_convolution': '3d'})


def test_a_crop_that_needs_more_than_its_square_says_is_made_smaller_still():
  text = refused(11 * GB, lambda c: quadratic(c) + 3 * GB)
  crop = int(re.search(r'crop=(\d+)', text)[1])
  assert quadratic(configuration(**{'data.crop': crop})) + 3 * GB <= 11 * GB
  assert 'turn several switches together' in refused(GB, lambda c: quadratic(c) + 3 * GB)


@pytest.fixture(scope='module')
def tiny():
  config = base.get_config()
  config.update_from_flattened_dict(
    {'data.crop': 16, 'model.name': 'unet3d', 'model.filters': (4, 8), 'optimizer.ema_decay': 0.9}
  )
  return config


def test_the_step_that_was_measured_is_not_compiled_again(tiny, caplog):
  placement = Placement(jax.local_devices())
  program = make_program(tiny, placement)
  shapes = batch_shapes(tiny, frames=3, devices=2)
  state = placement.replicate(program.initial_state())
  batch = placement.shard({name: np.zeros(x.shape, x.dtype) for name, x in shapes.items()})
  with caplog.at_level(logging.WARNING), jax.log_compiles():
    assert program.needed_bytes(frames=3) > 2 * sum(x.nbytes for x in jax.tree.leaves(state.params))
    count = sum('Finished XLA compilation' in record.message for record in caplog.records)
    assert count == 1
    for _ in range(2):
      state, _ = program.step(state, batch)
    assert sum('Finished XLA compilation' in record.message for record in caplog.records) == count


def test_the_abstract_state_is_that_of_step_0(tiny):
  program = make_program(tiny, Placement(jax.local_devices()))
  abstract, real = program.shapes, program.initial_state()
  assert jax.tree.structure(abstract) == jax.tree.structure(real)
  for a, b in zip(jax.tree.leaves(abstract), jax.tree.leaves(real), strict=True):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)


def test_cpu_devices_share_what_the_system_can_spare():
  devices = jax.local_devices()
  whole, half = memory_limit(devices[:1]), memory_limit(devices)
  assert 2**26 < half < whole < 2**50
  assert half == pytest.approx(whole / 2, rel=0.2)


@pytest.mark.parametrize(
  ('line', 'limit', 'used'),
  [
    ('0::/slurm/job_7', 'memory.max', 'memory.current'),
    ('4:cpu,memory:/slurm/job_7', 'memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes'),
  ],
)
@pytest.mark.parametrize('level', ['', 'slurm', 'slurm/job_7'])
def test_the_limit_of_a_control_group_or_of_one_above_it_counts(tmp_path, monkeypatch, line, limit, used, level):
  for name, text in ((limit, '1000000'), (used, '300000'), (used, '300000')):
    path = (tmp_path / name).parent / level / pathlib.Path(name).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  path.with_name('memory.stat').write_text('inactive_anon 5\ninactive_file 20000\n')
  (tmp_path / 'own').write_text(f'9:name=systemd:/\n{line}\n')
  monkeypatch.setattr(device_memory, '_GROUPS', tmp_path)
  monkeypatch.setattr(device_memory, '_OWN_GROUPS', tmp_path / 'own')
  assert memory_limit(jax.local_devices()[:1]) == 1_000_000 - 300_000 + 20_000


def test_a_limit_of_the_address_space_counts():
  code = (  # no device is made: its threads would take some of the gigabyte, how much goes with the cores
    'import resource, types; from ear_jax.devices.memory import memory_limit; '
    'used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize(); '
    'resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, resource.RLIM_INFINITY)); '
    'print(memory_limit([types.SimpleNamespace(platform="cpu")]))'
  )
  found = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
  assert 9 * 10**8 < int(found) <= 10**9


def test_an_address_space_without_room_for_the_compiler_is_refused():
  check_address_space(None)
  check_address_space(3 * GB)
  with pytest.raises(UserError, match=r'`ulimit -v` leaves 0.7 GB of address space and 2.5 GB are needed: raise it'):
    check_address_space(7 * GB // 10)


def test_a_size_reads_as_people_write_it():
  assert describe(configuration(), 50, 43 * GB, 1) == '50x512x512x4 at batch 2 needs about 43 GB of memory'
