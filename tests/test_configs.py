"""Every configuration in configs/ is complete: it loads, builds its network, loss and optimiser, and can be frozen."""

import importlib
import pathlib

import jax
import jax.numpy as jnp
import pytest
from ml_collections import FrozenConfigDict

from configs import base
from ear_jax.config.fields import check_config
from ear_jax.models import RUNGS, build_model
from ear_jax.training.losses import LOSSES
from ear_jax.training.optim import make_optimizer, make_schedule

STUDIES = ('ablation', 'few_contours', 'fine_tuning', 'recipe', 'recipe_long', 'sunnybrook_folds')  # tests/ablations
NAMES = sorted({p.stem for p in pathlib.Path(base.__file__).parent.glob('*.py')} - {'__init__', *STUDIES})


def load(name):
  return importlib.import_module(f'configs.{name}').get_config()


def shapes(config):
  size, channels = config.data.crop, config.data.channels
  video = jax.ShapeDtypeStruct((1, 2, size, size, channels), jnp.float32)
  return jax.eval_shape(build_model(config.model).init, jax.random.key(0), video)


def count(tree):
  return sum(x.size for x in jax.tree.leaves(tree))


@pytest.mark.parametrize('name', NAMES)
def test_config_names_no_field_that_base_lacks_and_builds_its_network(name):
  config = load(name)
  assert set(config.keys()) == set(base.get_config().keys())
  check_config(config)
  assert hash(FrozenConfigDict(config)) is not None
  variables = shapes(config)
  make_optimizer(config.optimizer, make_schedule(config.optimizer, config.steps))
  assert set(config.loss.name.split('+')) <= set(LOSSES)
  assert count(variables['params']) > 0


@pytest.mark.parametrize('name', NAMES)
def test_config_says_how_to_run_it_and_what_came_out(name):
  text = importlib.import_module(f'configs.{name}').__doc__
  assert 'MEASURED' not in text
  if name != 'base':
    assert '--config configs/' in text or 'Commands as there' in text


def test_ladder_of_configs_differs_in_the_rung_alone():
  ladder = {name: load(name) for name in RUNGS}
  for name, config in ladder.items():
    assert config.model.name == name
    config.model.name = 'ear3d'
    assert config == ladder['ear3d']


def test_paper_config_is_the_released_network():
  """The published parameter count of the released code at 128 x 128, moving statistics included."""
  assert count(shapes(load('ear3d_paper'))) == 216_122_476
