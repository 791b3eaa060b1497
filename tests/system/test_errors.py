"""Which known name a word is meant to be: real misspellings find theirs, words that are merely like one find none."""

import string

import pytest

from ear_jax.config.fields import FIELDS
from ear_jax.networks.weights import names
from ear_jax.system.console import COMMANDS
from ear_jax.system.errors import near, nearest

KNOWN = sorted({part for name in FIELDS for part in name.split('.')} | {*COMMANDS, *names()})


@pytest.mark.parametrize(
  ('word', 'meant'),
  [
    ('corp', 'crop'),  # neighbours in the wrong order
    ('nmae', 'name'),
    ('exprot', 'export'),
    ('batchsize', 'batch_size'),
    ('chanels', 'channels'),
    ('normalize', 'normalise'),
    ('optimiser', 'optimizer'),
    ('step', 'steps'),
    ('evl', 'eval'),
    ('Evaluate', 'evaluate'),
    ('learn_rate', 'learning_rate'),
    ('rate', 'learning_rate'),  # a part of it, and not rotate
    ('warmup', 'warmup_steps'),
    ('velocity', 'ear3d-velocity'),
    ('ear3d-fantom', 'ear3d-phantom'),
  ],
)
def test_a_misspelling_finds_its_name(word, meant):
  assert nearest(word, KNOWN) == f'; nearest: {meant}'


UNLIKE = """epochs colour window dropout path width depth layers blocks show plot results segment
run focal tversky resnet transformer subject masks hinge a lr"""


def test_a_word_that_is_merely_like_one_finds_none():
  assert {word: near(word, KNOWN) for word in UNLIKE.split() if nearest(word, KNOWN)} == {}


def test_one_slip_in_a_word_of_four_letters_is_found_two_are_not():
  """Every slip of one letter, made here: one wrong, missing, too many, and each pair of neighbours turned round."""
  for word in ('crop', 'steps', 'filters'):
    slips = {word[:k] + word[k + 1 :] for k in range(len(word))}
    slips |= {word[:k] + c + word[k + 1 :] for k in range(len(word)) for c in string.ascii_lowercase}
    slips |= {word[:k] + c + word[k:] for k in range(len(word) + 1) for c in string.ascii_lowercase}
    slips |= {word[:k] + word[k : k + 2][::-1] + word[k + 2 :] for k in range(len(word) - 1)}
    assert [slip for slip in slips if near(slip, [word]) != [word]] == []
  assert near('xrox', ['crop']) == near('sxepx', ['steps']) == []


def test_the_nearest_is_the_first():
  assert near('fold', ['folds', 'unfold', 'fold']) == ['fold', 'folds', 'unfold']
