"""Every field of a configuration, described once: default, reason, unit, range, choices, and what it decides.

Experiments (`configs/`) start from `default_config()` and change a few fields. Any of them can be set on the command
line: `--config.batch_size=4`, `--config.model.filters=8,16,32`. The names of networks and losses are no choices here:
the registries `models.NETWORKS` and `training.losses` have them.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from ear_jax.system.errors import UserError, near

_SHOWN = 3  # nearest fields


@dataclasses.dataclass(frozen=True)
class Field:
  """One field of a configuration.

  Attributes:
    default: 3D-EAR as in the paper where it is clear, and our choice where it is not; fixes the type too.
    reason: what the field is for.   unit: of its number.
    smallest, below: range of its number, `below` itself outside; None: a number is checked with what it belongs to.
    choices: what its word, or each word of its tuple, may be; empty: any.
    called: its name in sentences; '': `config.` and its name.
    decides: 'weights': what a step learns, so a resumed run may not change it; 'result': how far and how often, or the
      last digits; 'nothing': where and how a run is done, so that a grid does not take it for another run.
  """

  default: Any
  reason: str
  unit: str = ''
  smallest: float | None = None
  below: float = math.inf
  choices: tuple[str, ...] = ()
  called: str = ''
  decides: str = 'weights'


_number = functools.partial(Field, smallest=0)  # none of the numbers may be negative
_count = functools.partial(Field, smallest=1)

FIELDS = {
  'seed': _number(0, 'of weights, order of the cines and augmentation', below=2**31),
  'init_from': Field('', 'trained network to begin with: a shipped name, an exported .zip, or the workdir of a run'),
  'steps': _count(1000, 'of training, in the whole run', decides='result'),
  'batch_size': _count(2, 'cines a step over all devices'),
  'num_devices': _number(0, '0: all, of all processes', decides='nothing'),
  'parallel': Field('pmap', 'over devices; the same bits either way', choices=('pmap', 'jit'), decides='nothing'),
  'cpu_devices': _number(0, 'virtual, without an accelerator; 0: one a core, if batch_size divides', decides='nothing'),
  'data.name': Field('mvm_cmr/phantom_mini', 'TFDS name/config'),
  'data.also': Field('', 'further sets, with commas, learnt from whole: half of the cines are theirs'),
  'data.dir': Field('data', 'where `tfds build --data_dir` put it', decides='nothing'),
  'data.channels': _count(4, '4: magnitude and velocity; 1: magnitude only, also on 4-channel data', below=5),
  'data.crop': _count(128, 'window at the centre of the picture, for training and prediction', 'pixels'),
  'data.shift': _number(8, 'largest random shift of the training window', 'pixels'),
  'data.normalise': Field(
    'robust', "per cine; 'window': by the crop; 'joint': released", choices=('robust', 'window', 'joint')
  ),
  'data.tone': _number(0.0, 'middle grey, from dark 0 to bright 1, that every picture is given; 0: its own', below=1),
  'data.spacing': _number(0.0, 'of pictures that do not say theirs, for prediction; 0: not known', 'mm', below=1000),
  'data.annotated_every': _count(1, 'learn from every n-th annotated frame alone: what do fewer contours cost?'),
  'data.carry': Field(False, 'frames without annotation learn from contours carried to them, by their uncertainty'),
  'data.frames': _number(0, 'of each cine a random run of this many is learnt from; 0: the whole cycle', 'frames'),
  'data.on_device': Field(False, "the training set lies in the device's memory and is augmented there"),
  'data.cache_gb': _number(4.0, 'records are kept in memory where the training set fits', 'GB', decides='nothing'),
  'data.threads': _number(2, 'reading and augmenting', below=1000, decides='nothing'),
  'data.prefetch': _number(4, 'batches made ahead of the step', below=1000, decides='nothing'),
  'augment.rot90': Field(True, 'rotation by 90, 180, 270 degrees (paper)'),
  'augment.flip': Field(False, 'left-right mirror; with rot90, all eight symmetries'),
  'augment.rotate': _number(0.0, 'further rotation, uniform in +- this', 'degrees', below=360),
  'augment.scale': _number(0.0, 'zoom by a factor in 1 +- this', below=1),
  'augment.elastic': _number(0.0, 'standard deviation of a smooth random deformation', 'pixels', below=1000),
  'augment.intensity': _number(0.0, 'random contrast, brightness, noise of the magnitude; 0: off, 1: full', below=1000),
  'split.seed': _number(0, 'of the order in which subjects are divided', below=2**31),
  'split.test_fraction': _number(0.2, 'of the subjects, held out for the test (paper)', below=1),
  'split.folds': _count(5, 'of the other subjects (paper)'),
  'split.fold': Field(0, 'validation fold; -1: train on all of them and keep the last checkpoint'),
  'model.name': Field('ear3d', "'unet3d', 'unet3d_attention', 'ear3d': the ablation ladder; or another network"),
  'model.filters': _count((16, 32, 64, 128), 'channels of each level, top first; released: 32, 64, 128, 256'),
  'model.classes': Field(2, 'myocardium and the rest', smallest=2, below=256),
  'model.attention': Field('channel', "on skips (released); 'spatial': Eq. 1", choices=('none', 'channel', 'spatial')),
  'model.attention_max_tokens': _number(16384, 'skips with more positions a frame use channel attention'),
  'model.temporal': Field('convlstm', "recurrence; 'dense_lstm': released", choices=('none', 'convlstm', 'dense_lstm')),
  'model.temporal_sites': Field(('bottleneck',), 'released: the others', choices=('bottleneck', 'encoder', 'decoder')),
  'model.bidirectional': Field(False, 'the recurrence also runs backwards in time'),
  'model.cyclic_recurrence': Field(False, 'warm-up pass over the cycle'),
  'model.norm': Field('group', "'batch': released, statistics of all devices", choices=('group', 'instance', 'batch')),
  'model.activation': Field('leaky_relu', 'of slope 0.3 (released)', choices=('relu', 'leaky_relu', 'gelu', 'silu')),
  'model.activate': Field('both', "after each convolution; 'last': once a block (released)", choices=('both', 'last')),
  'model.time_kernel': Field(3, 'a convolution sees; 1: each frame on its own, for data without time', 'frames'),
  'model.time_padding': Field('zero', "'cyclic': the cardiac cycle closes on itself", choices=('zero', 'cyclic')),
  'model.deep_supervision': Field(0, 'decoder levels below the top that learn the mask too, weighted 1/2, 1/4, ...'),
  'model.remat': Field(False, 'recompute activations: less memory, more time', decides='result'),
  'model.gpu_convolution': Field(
    'planes', "2-D ones over all frames; '3d': cuDNN's 3-D", choices=('planes', '3d'), decides='result'
  ),
  'model.dtype': Field('float32', 'of the computation', choices=('float32', 'bfloat16')),
  'loss.name': Field(
    'dice_iou', "Eq. 5 (paper); or 'cross_entropy', 'dice', 'iou', 'dice_iou_product', or a sum with '+'"
  ),
  'loss.smooth': _number(1.0, 'Laplace smoothing f', 'pixels'),
  'loss.reduction': Field(
    'cine', "each cine by itself; 'batch': pooled (released)", choices=('cine', 'batch'), called='loss reduction'
  ),
  'loss.loss_classes': Field(
    'both', "classes; 'foreground': without the rest", choices=('both', 'foreground'), called='loss classes'
  ),
  'optimizer.learning_rate': _number(1e-3, 'at its peak'),
  'optimizer.schedule': Field('cosine', 'how the rate falls after the warm-up', choices=('cosine', 'constant')),
  'optimizer.warmup_steps': _number(20, 'updates in which the rate rises', 'updates'),
  'optimizer.weight_decay': _number(0.0, 'decoupled, of kernels; > 0 makes Adam AdamW'),
  'optimizer.clip_norm': _number(1.0, 'global norm of the gradient; 0: off'),
  'optimizer.accumulate': _count(1, 'training steps an update'),
  'optimizer.ema_decay': _number(0.0, 'moving average of the weights, used for prediction; 0: off', below=1),
  'eval.every': _count(200, 'between validations and checkpoints', 'steps', decides='result'),
  'eval.patience': _number(0, 'without a better one that end training; 0: none do', 'validations', decides='result'),
  'eval.batch_size': _number(0, 'cines at once; 0: one a device', decides='result'),
  'eval.tta': Field(False, 'average over the quarter turns and mirror images that `augment` showed in training'),
  'check_memory': Field(True, 'refuse, before step 0, a step that needs more memory than there is', decides='nothing'),
  'save_every': _number(0, 'between checkpoints, besides those of validations; 0: none', 'steps', decides='nothing'),
  'log_every': _count(10, 'between lines of metrics.jsonl', 'steps', decides='nothing'),
}

MAY_CHANGE = tuple(name for name, field in FIELDS.items() if field.decides != 'weights')
CIRCUMSTANCES = tuple(name for name, field in FIELDS.items() if field.decides == 'nothing')


def default_config() -> ConfigDict:
  """Returns the configuration of all defaults, free to be changed.

  >>> ear_jax.default_config().data.crop
  128
  """
  tree: dict = {}
  for name, field in FIELDS.items():
    *sections, last = name.split('.')
    functools.reduce(lambda inside, section: inside.setdefault(section, {}), sections, tree)[last] = field.default
  return ConfigDict(tree)


def check_config(config: ConfigDict) -> None:
  """Raises UserError where a field is missing or unknown, a number is outside its range, or a word is no choice.

  A section of `model` that is not described is an own network's, and not looked into.
  """
  usual = default_config()
  for path in _undescribed(config):
    own = "; what a network of your own takes stands in a section of it: config.model.NAME = {'field': value}"
    raise UserError(field_fault(usual, path) + own * path.startswith('model.'))
  for name, field in FIELDS.items():
    try:
      value = functools.reduce(ConfigDict.__getitem__, name.split('.'), config)
    except (KeyError, TypeError):  # no such section, or a value in its place
      raise UserError(f'config.{name} is missing: begin with default_config() and change fields of it') from None
    parts = value if isinstance(value, tuple | list) else (value,)
    if isinstance(field.default, tuple) and {type(part) for part in parts} - {type(field.default[0])}:
      raise UserError(f'config.{name} is {value}: expected the like of {field.default}')
    if field.smallest is not None and not all(field.smallest <= part < field.below for part in parts):  # NaN is nowhere
      most = '' if field.below == math.inf else f', and less than {field.below}'
      raise UserError(f'config.{name} is {value}: it must be {field.smallest} or more{most}')
    check_choice(name, value)


def check_choice(name: str, value: Any) -> None:
  """Raises UserError where the value of a field, or a part of it, is none of the field's choices."""
  field = FIELDS[name]
  for word in value if isinstance(value, tuple | list) else (value,):
    if field.choices and word not in field.choices:
      raise UserError(f'{field.called or f"config.{name}"} {word!r} is not one of {field.choices}')


def field_fault(config: ConfigDict, path: str, name: str = 'config') -> str:
  """Returns why a dotted path is no field of a configuration called `name`, in a sentence; '' where it is one."""
  inside, seen = config, name
  for part in path.split('.'):
    if not isinstance(inside, ConfigDict):
      return f'{seen} is a value and has no field {part}'
    if part not in inside:
      found = [f'{name}.{field}' for field in _near_fields(config, path)]
      found = found or [f'{seen}.{section}' for section in near(part, inside)[:1]]
      nearest = f'; nearest: {", ".join(found)}' if found else f' (it has {", ".join(inside)})'
      return f'{seen} has no field {part}{nearest}'
    inside, seen = inside[part], f'{seen}.{part}'
  if isinstance(inside, ConfigDict):
    return f'{seen} is a section: set a field of it ({", ".join(inside)})'
  return ''


def _near_fields(config: ConfigDict, path: str) -> list[str]:
  """Returns the fields that a path may mean: of the section that it names, if there are any; lr is learning_rate."""
  section, _, asked = path.rpartition('.')
  found: dict[str, list[str]] = {}
  for field in _fields(config):
    found.setdefault(field.rpartition('.')[2], []).append(field)
  initials = [last for last in found if '_' in last and asked == ''.join(word[:1] for word in last.split('_'))]
  meant = [field for last in dict.fromkeys((*initials, *near(asked, found))) for field in found[last]]
  beside = [field for field in meant if section and near(section, [field.rpartition('.')[0]])]
  return (beside or meant)[:_SHOWN]


def _fields(config: ConfigDict, above: str = '') -> Iterator[str]:
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from _fields(value, f'{above}{name}.')
    else:
      yield f'{above}{name}'


def _undescribed(config: ConfigDict, above: str = '') -> Iterator[str]:
  """Yields what a configuration holds that is neither described nor a section of an own network, as dotted paths."""
  for name, value in config.items():
    path, section = f'{above}{name}', isinstance(value, ConfigDict)
    if section and any(field.startswith(f'{path}.') for field in FIELDS):
      yield from _undescribed(value, f'{path}.')
    elif path not in FIELDS and not (section and above == 'model.'):
      yield path
