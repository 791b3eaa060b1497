"""README's block for own data works for five people as it is; what does not fit is refused at once; case N10."""

import logging
import pathlib
import re

import jax
import pytest

from configs import ear3d
from ear_jax.data.splits import make_split
from ear_jax.devices.placement import Placement
from ear_jax.networks.fine_tuning import network_to_start_from
from ear_jax.system.errors import UserError
from ear_jax.training.program import make_program


def readme_config(**changes):
  """The configuration of README's training command for own data."""
  text = pathlib.Path('README.md').read_text().replace('\\\n', '')
  command = re.search(r'ear_jax\.train --config configs/ear3d\.py --workdir runs/mine .*', text)[0]
  config = ear3d.get_config()
  values = dict(re.findall(r'--config\.(\S+)=(\S+)', command))
  config.update_from_flattened_dict({key: int(x) if x.isdecimal() else x for key, x in values.items()} | changes)
  return config


def started_from(config, caplog):
  """The network that a run would begin from; nothing is compiled on the way but what makes a key of a seed."""
  placement = Placement(jax.local_devices()[:1])
  with caplog.at_level(logging.WARNING), jax.log_compiles():
    try:
      return network_to_start_from(config, make_program(config, placement).shapes)
    finally:
      compiled = [r.message for r in caplog.records if 'XLA compilation' in r.message]
      small = ('jit(stage)', 'jit(_threefry_seed)')  # jax 0.12 compiles them for a number, which 0.10 does not
      assert [message for message in compiled if not any(name in message for name in small)] == []


def test_the_block_for_own_data_takes_five_people_and_the_weights_that_it_names(caplog):
  config = readme_config()
  split = make_split([f'person-{i}' for i in range(5)], config.split)
  assert [len(part) for part in (split.train, split.validation, split.test)] == [3, 1, 1]
  assert started_from(config, caplog).config.model.name == 'ear3d'
  with pytest.raises(UserError, match='cannot be divided into 5 folds'):  # what it avoids
    make_split([f'person-{i}' for i in range(5)], ear3d.get_config().split)


@pytest.mark.parametrize('field', ['model.filters', 'model.name', 'model.norm'])
def test_weights_that_do_not_fit_are_refused_before_anything_is_compiled(field, caplog):
  value = {'model.filters': (16, 32, 64, 128), 'model.name': 'unet3d', 'model.norm': 'batch'}[field]
  with pytest.raises(
    UserError, match=rf'init_from=.ear3d-phantom. does not fit: this run asks for .*{field} .*, that network has '
  ):
    started_from(readme_config(**{field: value}), caplog)
