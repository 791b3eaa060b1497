"""Every field of the configuration is described, and what lies outside its range or choices is a sentence."""

import dataclasses
import math
import pathlib
import re

import pytest

from ear_jax.config.fields import CIRCUMSTANCES, FIELDS, MAY_CHANGE, check_choice, check_config, default_config
from ear_jax.data.normalise import FORMULAS
from ear_jax.models.blocks import ACTIVATIONS
from ear_jax.models.unet3d import UNet3D
from ear_jax.models.video import TIME_PADDINGS
from ear_jax.system.errors import UserError
from ear_jax.training.losses import LOSSES

RANGES = {name: (field.smallest, field.below) for name, field in FIELDS.items() if field.smallest is not None}
# Checked where they are used, with what they belong to: levels, odd widths, the split.
ELSEWHERE = {'model.deep_supervision', 'model.time_kernel', 'split.fold'}
# Names of files, of networks and of losses; the last two are the registries' affair.
ANY_WORD = {'data.also', 'init_from', 'data.name', 'data.dir', 'model.name', 'loss.name'}


def changed(name, value):
  config = default_config()
  with config.ignore_type():
    config.update_from_flattened_dict({name: value})
  return config


def test_the_defaults_are_within_and_no_number_or_word_is_without_bounds():
  check_config(default_config())
  numbers = {n for n, f in FIELDS.items() if isinstance(f.default, int | float) and not isinstance(f.default, bool)}
  assert numbers | {'model.filters'} == set(RANGES) | ELSEWHERE
  words = {n for n, f in FIELDS.items() if isinstance(f.default, str) or f.choices}
  assert {n for n in words if not FIELDS[n].choices} == ANY_WORD
  assert all(field.reason for field in FIELDS.values())


@pytest.mark.parametrize('name', ['log_every', 'data.crop', 'model'])
def test_a_field_that_is_missing_is_a_sentence(name):
  config = default_config()
  with config.unlocked():
    *sections, last = name.split('.')
    del (config[sections[0]] if sections else config)[last]
  with pytest.raises(UserError, match=rf'config\.{name}\S* is missing'):
    check_config(config)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'data': {'corp': 80}}, 'config.data has no field corp; nearest: config.data.crop$'),
    ({'bath_size': 4}, 'config has no field bath_size; nearest: config.batch_size, config.eval.batch_size$'),
    ({'optimizer': {'lr': 1.0}}, 'config.optimizer has no field lr; nearest: config.optimizer.learning_rate$'),
    ({'optimiser': {'clip_norm': 0.0}}, 'config has no field optimiser; nearest: config.optimizer$'),
    ({'training': {'steps': 4}}, r'config has no field training \(it has augment, .*, split, steps\)$'),
    (
      {'model': {'width': 4}},
      r'config.model has no field width \(it has .*\); what a network of your own takes .*: config.model.NAME =',
    ),
  ],
)
def test_what_is_no_field_is_a_sentence_with_the_nearest(changes, sentence):
  config = default_config()
  config.update(changes)
  with pytest.raises(UserError, match=f'^{sentence}'):
    check_config(config)


def test_a_section_of_an_own_network_is_its_own():
  config = default_config()
  config.model.mine = {'width': 4, 'corp': {'crop': 3}}
  check_config(config)


def test_each_configuration_is_the_callers_own():
  default_config().data.crop = 3
  assert default_config().data.crop == FIELDS['data.crop'].default


@pytest.mark.parametrize('name', sorted({*RANGES} - {'model.filters'}))
def test_a_number_outside_is_a_sentence(name):
  smallest, below = RANGES[name]
  for value in (smallest - 1, below, math.nan, -math.inf):
    with pytest.raises(UserError, match=rf'config.{name} is \S+: it must be {smallest} or more'):
      check_config(changed(name, value))
  check_config(changed(name, smallest))


@pytest.mark.parametrize('value', [('a',), (4.5, 8), (True,)])
def test_what_a_tuple_holds_is_of_one_kind(value):
  with pytest.raises(UserError, match=r'config.model.filters is \(.*: expected the like of \(16, 32, 64, 128\)'):
    check_config(changed('model.filters', value))
  with pytest.raises(UserError, match=r'config.model.filters is \(4, 0\): it must be 1 or more'):
    check_config(changed('model.filters', (4, 0)))


@pytest.mark.parametrize('name', sorted(name for name, field in FIELDS.items() if field.choices))
def test_a_word_that_is_no_choice_is_a_sentence(name):
  field = FIELDS[name]
  wrong = ('no such',) if isinstance(field.default, tuple) else 'no such'
  called = field.called or f'config.{name}'
  with pytest.raises(UserError, match=rf"{called} 'no such' is not one of .*'{field.choices[-1]}'"):
    check_config(changed(name, wrong))
  for choice in field.choices:
    check_choice(name, choice)
    check_config(changed(name, (choice,) if isinstance(field.default, tuple) else choice))


def test_the_choices_are_those_that_the_code_knows():
  assert set(FIELDS['model.activation'].choices) == set(ACTIVATIONS)
  assert FIELDS['model.time_padding'].choices == TIME_PADDINGS
  assert set(FIELDS['data.normalise'].choices) == set(FORMULAS)
  assert FIELDS['loss.name'].default in LOSSES
  fields = {name.removeprefix('model.') for name in FIELDS if name.startswith('model.')} - {'name'}
  assert fields == {f.name for f in dataclasses.fields(UNet3D)} - {'parent', 'name', 'axis_name'}


def test_what_a_step_learns_may_not_change_and_a_grid_tells_runs_apart_by_more():
  """`docs/reliability.md` promises these, and jobs of a grid are named by the rest: a change renames them all."""
  course = {'steps', 'eval.every', 'eval.patience', 'eval.batch_size', 'model.remat', 'model.gpu_convolution'}
  where = {'num_devices', 'parallel', 'cpu_devices', 'check_memory', 'log_every', 'save_every'}
  where |= {'data.dir', 'data.cache_gb', 'data.threads', 'data.prefetch'}
  assert set(CIRCUMSTANCES) == where
  assert set(MAY_CHANGE) == course | where
  text = pathlib.Path('docs/reliability.md').read_text()
  promised = re.search(r'only (.*?) may change', text)[1]
  assert set(re.findall(r'`([\w.]+)`', promised)) == set(MAY_CHANGE)
