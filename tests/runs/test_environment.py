"""Environment variables that may change numbers are recorded, and a run that goes on under others says so."""

import json

import pytest

from ear_jax.data.splits import make_split
from ear_jax.system.errors import UserError
from ear_jax.training import resume_check
from ear_jax.training.manifest import environment

FLAGS = '--xla_gpu_deterministic_ops=true --xla_dump_to=/home/anna --xla_cpu_collective_timeout_seconds=9'


def test_what_changes_numbers_is_recorded_and_no_place_or_patience(monkeypatch):
  for name in ('JAX_ENABLE_X64', 'JAX_DISABLE_MOST_OPTIMIZATIONS'):
    monkeypatch.delenv(name, raising=False)
  monkeypatch.setenv('XLA_FLAGS', FLAGS)
  monkeypatch.setenv('JAX_DEFAULT_MATMUL_PRECISION', 'bfloat16')
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', '/home/anna/cache')
  assert environment() == {
    'JAX_DEFAULT_MATMUL_PRECISION': 'bfloat16',
    'XLA_FLAGS': '--xla_gpu_deterministic_ops=true',
  }


@pytest.mark.multiprocess
@pytest.mark.slow
def test_a_run_that_goes_on_in_another_environment_says_so(monkeypatch, config, data, trained):
  recorded = json.loads((trained / 'manifest.json').read_text())['environment']
  said = []
  monkeypatch.setattr(resume_check.logging, 'warning', lambda text, *values: said.append(text % values))
  monkeypatch.setattr(resume_check, 'environment', lambda: recorded)
  resume_check.check_same_run(trained, config, data, make_split(data.subjects, config.split))
  assert said == []
  monkeypatch.setattr(resume_check, 'environment', lambda: recorded | {'NVIDIA_TF32_OVERRIDE': '0'})
  resume_check.check_same_run(trained, config, data, make_split(data.subjects, config.split))
  (warning,) = said
  assert 'NVIDIA_TF32_OVERRIDE=0: not the bits of an unbroken run' in warning


@pytest.mark.multiprocess
@pytest.mark.slow
def test_a_run_without_a_field_goes_on_as_by_its_default_alone(config, data, trained, tmp_path):
  saved = json.loads((trained / 'config.json').read_text())
  del saved['data']['tone']  # of a version that did not have it
  (tmp_path / 'config.json').write_text(json.dumps(saved))
  split = make_split(data.subjects, config.split)
  resume_check.check_same_run(tmp_path, config, data, split)
  config.data.tone = 0.4
  with pytest.raises(UserError, match=r'config\.data\.tone was 0\.0 and is 0\.4'):
    resume_check.check_same_run(tmp_path, config, data, split)
