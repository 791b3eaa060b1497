"""A grid needs an extra: who lacks it is told before anything is started."""

import importlib.util
import sys

import pytest

from configs import ablation
from ear_jax.system.errors import UserError


def test_a_grid_without_submitit_says_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'submitit', None)  # to import it fails
  spec = importlib.util.find_spec('ear_jax.ablations.launcher')
  launcher = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(launcher)
  with pytest.raises(UserError, match=r'submitit, which is not installed: pip install "ear_jax\[slurm\]"'):
    launcher.Launcher(ablation.get_config().launcher, jobs=2)
