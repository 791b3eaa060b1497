"""Which subjects train, validate and test. The group is the subject: rescans and slices of one person stay together."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import Self

import numpy as np
from ml_collections import ConfigDict

from ear_jax.system.errors import UserError, some


@dataclasses.dataclass(frozen=True)
class Split:
  """Disjoint subjects of the three parts, each sorted."""

  train: tuple[str, ...]
  validation: tuple[str, ...]
  test: tuple[str, ...]

  def __post_init__(self):
    parts = dataclasses.asdict(self)
    for a, b in (('train', 'validation'), ('train', 'test'), ('validation', 'test')):
      shared = sorted(set(parts[a]) & set(parts[b]))
      if shared:
        raise UserError(f'subjects {some(shared)} are in both {a} and {b}: scores would be optimistic')

  def subjects(self, part: str) -> tuple[str, ...]:
    """Returns the subjects of 'train', 'validation' or 'test', or of 'all' three."""
    if part == 'all':
      return tuple(sorted(self.train + self.validation + self.test))
    if part not in ('train', 'validation', 'test'):
      raise UserError(f"split {part!r} is not one of 'train', 'validation', 'test', 'all'")
    return getattr(self, part)

  def to_json(self) -> str:
    """Returns the split as JSON text, the same text for the same split."""
    return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)

  @classmethod
  def from_json(cls, text: str) -> Self:
    """Returns the split of `to_json`."""
    return cls(**{part: tuple(subjects) for part, subjects in json.loads(text).items()})

  @property
  def hash(self) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the JSON text."""
    return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


def make_split(subjects: Iterable[str], config: ConfigDict) -> Split:
  """Returns the split of `config.split`: a test share, then k folds of the rest, one of which validates.

  Args:
    subjects: ids, in any order and with repetitions.
    config: the `split` section: `seed`, `test_fraction`, `folds`, `fold` (-1: no validation).

  Raises: UserError when there are too few subjects, or the fold does not exist.
  """
  shuffled = np.array(sorted(set(subjects)))
  np.random.default_rng(config.seed).shuffle(shuffled)
  n_test = round(config.test_fraction * len(shuffled))
  test, rest = shuffled[:n_test], shuffled[n_test:]
  if not -1 <= config.fold < config.folds:
    raise UserError(f'config.split.fold is {config.fold}, but there are folds 0 to {config.folds - 1} (or -1 for none)')
  if config.fold >= 0 and not 2 <= config.folds <= len(rest):
    count = f'{len(rest)} subject{"s" * (len(rest) != 1)}'
    fewer = f'set --config.split.folds={len(rest)}{" or fewer" * (len(rest) > 2)}, or ' if len(rest) > 1 else 'set '
    raise UserError(
      f'{count} outside the test set cannot be divided into {config.folds} folds, one of which validates while '
      f'others train: {fewer}--config.split.fold=-1 to train without validation'
    )
  validation = rest[config.fold :: config.folds] if config.fold >= 0 else rest[:0]
  train = np.setdiff1d(rest, validation)
  if not len(train):
    raise UserError(f'no subject is left for training ({len(shuffled)} in the data set)')
  return Split(*(tuple(sorted(str(s) for s in part)) for part in (train, validation, test)))
