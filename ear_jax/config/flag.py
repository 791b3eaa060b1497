"""The flag `--config=FILE` with `--config.field=value`: ml_collections', with a sentence where a field is not there."""

import difflib
import pathlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

_SHOWN = 3  # nearest fields


def define(meaning: str) -> flags.FlagHolder:
  """Makes the flag `config`; its value is the locked configuration of the file, with what the command line changes."""
  holder = config_flags.DEFINE_config_file('config', None, meaning, lock_config=True)
  flag = flags.FLAGS[holder.name]
  flag.parser = _Parser(flag.parser)
  return holder


class _Parser(flags.ArgumentParser):
  """Reads the file, and looks at the fields of the command line before ml_collections does, which raises KeyError."""

  def __init__(self, parser: flags.ArgumentParser):
    self._parser = parser

  def parse(self, argument: str) -> ConfigDict:
    # A file of `configs/` imports its neighbours; the command may be run from elsewhere.
    sys.path.append(str(pathlib.Path(argument).absolute().parents[1]))
    try:
      config = self._parser.parse(argument)
    except ImportError as fault:
      raise flags.Error(f'{argument}: {fault}: run the command where its neighbours can be imported') from fault
    finally:
      sys.path.pop()
    if isinstance(config, ConfigDict) and (rule := _fault(config, sys.argv[1:])):
      raise flags.Error(rule)
    return config

  def flag_type(self) -> str:
    return self._parser.flag_type()


def _fault(config: ConfigDict, words: Sequence[str]) -> str:
  """Returns what is wrong with the fields among the words of a command line, or ''."""
  given = Counter(found[1] for word in words if (found := re.match(r'--?(?:no)?config\.([^=]+)', word)))
  for path, count in given.items():
    if rule := _field_fault(config, path):
      return rule
    *above, last = path.split('.')
    if count > 1 and isinstance(_at(config, above)[last], tuple):  # ml_collections joins them
      return f'--config.{path} is given {count} times: give it once, such as --config.{path}=4,8'
  return ''


def _field_fault(config: ConfigDict, path: str) -> str:
  inside, seen = config, 'config'
  for name in path.split('.'):
    if not isinstance(inside, ConfigDict):
      return f'{seen} is a value and has no field {name}'
    if name not in inside:
      return f'{seen} has no field {name}; nearest: {", ".join(_nearest(config, path))}'
    inside, seen = inside[name], f'{seen}.{name}'
  if isinstance(inside, ConfigDict):
    return f'{seen} is a section: set a field of it ({", ".join(inside)})'
  return ''


def _at(config: ConfigDict, path: Sequence[str]) -> ConfigDict:
  for name in path:
    config = config[name]
  return config


def _nearest(config: ConfigDict, path: str) -> list[str]:
  """Returns the fields whose name, with sections or without, is most like a path; lr is near learning_rate."""
  asked = path.rpartition('.')[2]

  def likeness(field: str) -> tuple[float, float]:
    last = field.rpartition('.')[2]
    initials = ''.join(word[:1] for word in last.split('_'))
    return max(float(initials == asked), _alike(asked, last)), _alike(path, field)

  return [f'config.{field}' for field in sorted(_fields(config), key=likeness, reverse=True)[:_SHOWN]]


def _alike(one: str, other: str) -> float:
  return difflib.SequenceMatcher(None, one, other).ratio()


def _fields(config: ConfigDict, above: str = '') -> Iterator[str]:
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from _fields(value, f'{above}{name}.')
    else:
      yield f'{above}{name}'
