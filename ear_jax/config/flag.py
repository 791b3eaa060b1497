"""The flag `--config=FILE` with `--config.field=value`: ml_collections', with a sentence where a field is not there."""

import contextlib
import pathlib
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from ear_jax.config.fields import field_fault


def define(meaning: str, name: str = 'config') -> flags.FlagHolder:
  """Makes the flag `name`; its value is the locked configuration of the file, with what the command line changes.

  Of a field that is given twice the last value holds: `sys.argv` loses those before it, since ml_collections joins
  tuples.
  """
  sys.argv[1:] = _last_of_each(sys.argv[1:], name)
  holder = config_flags.DEFINE_config_file(name, None, meaning, lock_config=True)
  flag = flags.FLAGS[holder.name]
  flag.parser = _Parser(flag.parser, name)
  return holder


def define_optional(name: str, meaning: str) -> flags.FlagHolder:
  """Makes a flag that may stand alone, `--name`, or take a word, `--name=word`; its value is '', the word, or None."""
  word = _Optional()
  return flags.DEFINE_flag(flags.Flag(word, flags.ArgumentSerializer(), name, None, meaning, boolean=True))


class _Optional(flags.ArgumentParser):
  """What absl gives to a flag without a value is 'true', and 'false' where its name begins with no."""

  def parse(self, argument: str) -> str | None:
    return {'true': '', 'false': None}.get(argument, argument)

  def flag_type(self) -> str:
    return 'word, or nothing'


@contextlib.contextmanager
def neighbours_of(file: str) -> Iterator[None]:
  """Lets a file of `configs/` import its neighbours within the block: the command may be run from elsewhere."""
  above = str(pathlib.Path(file).absolute().parents[1])
  sys.path.append(above)
  try:
    yield
  finally:
    sys.path.remove(above)


def found_from(path: str, file: str) -> str:
  """Returns a path as it is where it leads to something, else as seen from above the folder of a configuration file."""
  beside = pathlib.Path(file).absolute().parents[1] / path
  return str(beside) if not pathlib.Path(path).exists() and beside.exists() else path


def _last_of_each(words: Sequence[str], name: str) -> list[str]:
  """Returns the words without `--config.field=value` that a later one replaces."""
  fields = [match and match[1] for match in (re.match(rf'--?({name}\.[^=]+)=', word) for word in words)]
  return [word for k, word in enumerate(words) if fields[k] is None or fields[k] not in fields[k + 1 :]]


class _Parser(flags.ArgumentParser):
  """Reads the file, and looks at the fields of the command line before ml_collections does, which raises KeyError."""

  def __init__(self, parser: flags.ArgumentParser, name: str):
    self._parser, self._name = parser, name

  def parse(self, argument: str) -> ConfigDict:
    file = argument.partition(':')[0]
    if not pathlib.Path(file).exists():  # ml_collections waits until the configuration is used
      raise flags.Error(f'no configuration file {file}: --{self._name} takes one of configs/, or your own')
    try:
      with neighbours_of(argument):
        config = self._parser.parse(argument)
    except ImportError as fault:
      raise flags.Error(f'{argument}: {fault}: run the command where its neighbours can be imported') from fault
    if isinstance(config, ConfigDict) and (rule := _fault(config, sys.argv[1:], self._name)):
      raise flags.Error(rule)
    return config

  def flag_type(self) -> str:
    return self._parser.flag_type()


def _fault(config: ConfigDict, words: Sequence[str], name: str) -> str:
  """Returns what is wrong with the fields among the words of a command line, or ''."""
  given = Counter(match[1] for word in words if (match := re.match(rf'--?(?:no)?{name}\.([^=]+)', word)))
  for path, count in given.items():
    if rule := field_fault(config, path, name):
      return rule
    *above, last = path.split('.')
    if count > 1 and isinstance(_at(config, above)[last], tuple):  # ml_collections joins them
      return f'--{name}.{path} is given {count} times: give it once, such as --{name}.{path}=4,8'
  return ''


def _at(config: ConfigDict, path: Sequence[str]) -> ConfigDict:
  for name in path:
    config = config[name]
  return config
