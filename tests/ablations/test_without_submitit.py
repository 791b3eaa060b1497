"""A grid needs an extra: who lacks it is told before anything is started."""

import pytest

from configs import ablation
from ear_jax.ablations import launcher
from ear_jax.system.errors import UserError


def test_a_grid_without_submitit_says_what_to_install(monkeypatch):
  monkeypatch.setattr(launcher, 'submitit', None)
  with pytest.raises(UserError, match=r'submitit, which is not installed: pip install "ear_jax\[slurm\]"'):
    launcher.Launcher(ablation.get_config().launcher, jobs=2)
