"""Every number of the configuration has a range, and what lies outside is a sentence."""

import math

import pytest

from configs import base
from ear_jax.system.errors import UserError
from ear_jax.training import ranges
from ear_jax.training.ranges import check_ranges

# Checked where they are used, with what they belong to: levels, odd widths, the split.
ELSEWHERE = {'model.deep_supervision', 'model.time_kernel', 'split.fold'}


def numbers(config, before=''):
  """Yields the dotted name of each number."""
  for name, value in config.items():
    if hasattr(value, 'items'):
      yield from numbers(value, f'{before}{name}.')
    elif isinstance(value, int | float) and not isinstance(value, bool):
      yield f'{before}{name}'


def test_what_base_says_is_within_and_no_number_is_forgotten():
  check_ranges(base.get_config())
  assert set(numbers(base.get_config())) == set(ranges._RANGES) | ELSEWHERE


def changed(name, value):
  config = base.get_config()
  with config.ignore_type():
    config.update_from_flattened_dict({name: value})
  return config


@pytest.mark.parametrize('name', sorted(ranges._RANGES))
def test_what_lies_outside_is_a_sentence(name):
  smallest, below = ranges._RANGES[name]
  for value in (smallest - 1, below, math.nan, -math.inf):
    with pytest.raises(UserError, match=rf'config.{name} is \S+: it must be {smallest} or more'):
      check_ranges(changed(name, value))
  check_ranges(changed(name, smallest))
