"""A network or a loss of the user's own that does not keep its contract is one sentence, before training begins."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from ear_jax.config.fields import default_config
from ear_jax.devices.placement import Placement
from ear_jax.models import NETWORKS
from ear_jax.system.errors import UserError
from ear_jax.training import monitor
from ear_jax.training.losses import REGION_LOSSES
from ear_jax.training.program import make_program


def network(call, unit=2):
  """What goes into `NETWORKS`: a module of one layer that is called as `call` says."""
  body = {'__annotations__': {'axis_name': 'str | None'}, 'axis_name': None, '__call__': nn.compact(call)}
  own = type('Own', (nn.Module,), body | ({'unit': unit} if unit else {}))
  return lambda config, axis_name: own(axis_name=axis_name)


def layer(video, classes=2):
  return nn.Conv(classes, (1, 1, 1))(video)


def sound(self, video, train=False):
  return layer(video)


def half_read(config, axis_name):
  return config.own.width


def refuse(monkeypatch, build, loss='dice', crop=8):
  config = default_config()
  config.update({'data': {'crop': crop}, 'model': {'name': 'own'}, 'loss': {'name': loss}})
  monkeypatch.setitem(NETWORKS, 'own', build)
  with pytest.raises(UserError) as fault:
    make_program(config, Placement(jax.local_devices()[:1]))
  return str(fault.value)


@pytest.mark.parametrize(
  ('build', 'words'),
  [
    (network(lambda self, video, train=False: layer(video)[:, 0]), ['(1, 8, 8, 2) float32', 'of (1, 2, 8, 8, 2)']),
    (network(lambda self, video, train=False: layer(video, 3)), ['(1, 2, 8, 8, 3)', 'K being config.model.classes']),
    (network(lambda self, video, train=False: layer(video).astype(jnp.bfloat16)), ['(1, 2, 8, 8, 2) bfloat16']),
    (network(lambda self, video, train=False: jnp.argmax(layer(video), -1)), ['(1, 2, 8, 8) int32']),
    (network(lambda self, video, train=False: (layer(video), 1)), ['float32 and () int32', 'expected logits']),
    (network(lambda self, video: layer(video)), ['TypeError', "unexpected keyword argument 'train'"]),
    (
      network(lambda self, video, train=False: layer(video) @ jnp.ones((3, 3))),
      ['TypeError in test_contract.py, line'],
    ),
    (network(lambda self, video, train=False: float(video[0, 0, 0, 0, 0])), ['ConcretizationTypeError in test_contr']),
    (network(sound, unit=None), ['Own has `unit` None', 'such as `unit = 1`']),
    (network(sound, unit=3), ['config.data.crop is 8', 'divisible by 3', '--config.data.crop=9']),
    (lambda config: None, ['TypeError', 'positional argument']),
    (half_read, ['AttributeError in test_contract.py, line', "'own'"]),
  ],
)
def test_a_network_that_does_not_keep_its_contract_is_a_sentence(monkeypatch, build, words):
  said = refuse(monkeypatch, build)
  assert [word for word in words if word not in said] == [], said
  assert "config.model.name='own'" in said
  assert '\n' not in said


@pytest.mark.parametrize(
  ('loss', 'words'),
  [
    (lambda i, p, y, smooth: jnp.mean(i / (p + y + smooth)), ['returns () float32 for counts of (3, 2)']),
    (lambda i, p, y, smooth: jnp.mean(i / (p + y + smooth), axis=0), ['returns (2,) float32 for counts of (3, 2)']),
    (lambda i, p, y, smooth: p > y, ['returns (3, 2) bool']),
    (lambda i, p, y, smooth: 1.0, ['returns () float32']),
    (lambda i, p, y: 1 - i, ['TypeError', "unexpected keyword argument 'smooth'"]),
    (lambda i, p, y, smooth: 1 - float(i[0, 0]), ['ConcretizationTypeError in test_contract.py, line']),
  ],
)
def test_a_loss_that_does_not_keep_its_contract_is_a_sentence(monkeypatch, loss, words):
  monkeypatch.setitem(REGION_LOSSES, 'mine', loss)
  said = refuse(monkeypatch, network(sound), 'mine')
  assert [word for word in words if word not in said] == [], said
  assert said.startswith('config.loss.name')


def test_a_name_that_is_nearly_one_says_which(monkeypatch):
  monkeypatch.setitem(REGION_LOSSES, 'mine', REGION_LOSSES['dice'])
  said = refuse(monkeypatch, network(sound), 'dice_iu')
  assert 'dice_iou_product, mine or a sum of them' in said
  assert said.endswith('; nearest: dice_iou')


def test_what_is_wrong_in_training_alone_is_a_sentence_too(monkeypatch):
  """Dropout draws no number where `train` is False: the step is traced before the first one."""
  config = default_config()
  config.update({'data': {'crop': 8}, 'model': {'name': 'own'}})
  drop = network(lambda self, video, train=False: nn.Dropout(0.5, deterministic=not train)(layer(video)))
  monkeypatch.setitem(NETWORKS, 'own', drop)
  program = make_program(config, Placement(jax.local_devices()[:1]))
  with pytest.raises(
    UserError, match=r"config\.model\.name='own' cannot be computed \(InvalidRngError in test_contract"
  ):
    program.needed_bytes(2)


@pytest.mark.parametrize(('step', 'words'), [(1, 'before any weight was changed'), (2, 'smaller --config.optimizer')])
def test_a_loss_that_is_no_number_at_the_first_step_is_not_blamed_on_the_learning_rate(step, words):
  with pytest.raises(FloatingPointError, match=rf'^loss is nan at step {step}\b.*{words}'):
    monitor._check_finite({'loss': math.nan, 'grad_norm': 1.0}, step)
