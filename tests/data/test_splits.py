"""Subjects are dealt once, the same way every time, and never into two parts."""

import pytest
from ml_collections import ConfigDict

from ear_jax.data.splits import Split, make_split
from ear_jax.system.errors import UserError

SUBJECTS = [f's{i:02d}' for i in range(20)]


def config(**changes):
  return ConfigDict({'seed': 0, 'test_fraction': 0.2, 'folds': 5, 'fold': 0} | changes)


def test_parts_are_disjoint_and_make_up_the_whole():
  split = make_split(SUBJECTS, config())
  sizes = [len(part) for part in (split.train, split.validation, split.test)]
  assert sizes == [12, 4, 4]  # 20 % of 20, then a fifth of 16
  assert split.subjects('all') == tuple(SUBJECTS)
  assert sorted(split.train + split.validation + split.test) == SUBJECTS
  for part in ('train', 'validation', 'test'):
    assert split.subjects(part) == getattr(split, part) == tuple(sorted(getattr(split, part)))


def test_the_order_and_the_repetition_of_subjects_do_not_matter_and_the_seed_does():
  split = make_split(SUBJECTS, config())
  assert make_split(SUBJECTS[::-1] + SUBJECTS[3:9], config()) == split
  assert make_split(SUBJECTS, config(seed=1)).test != split.test


def test_folds_share_the_test_set_and_divide_the_rest_among_their_validations():
  splits = [make_split(SUBJECTS, config(fold=fold)) for fold in range(5)]
  assert len({s.test for s in splits}) == 1
  validated = [subject for s in splits for subject in s.validation]
  assert sorted(validated) == sorted(set(SUBJECTS) - set(splits[0].test))  # each exactly once
  assert max(len(s.validation) for s in splits) - min(len(s.validation) for s in splits) <= 1


def test_fold_minus_one_trains_on_all_that_is_not_tested():
  split, fold = make_split(SUBJECTS, config(fold=-1)), make_split(SUBJECTS, config())
  assert split.validation == ()
  assert split.test == fold.test
  assert set(split.train) == set(fold.train) | set(fold.validation)


@pytest.mark.parametrize(
  ('parts', 'sentence'),
  [
    ((('a', 'b'), ('b',), ('c',)), 'subjects b are in both train and validation'),
    ((('a', 'b', 'd'), ('c',), ('d', 'a')), 'subjects a, d are in both train and test'),
    ((('a',), ('c',), ('c',)), 'subjects c are in both validation and test'),
  ],
)
def test_an_overlap_is_refused_by_name(parts, sentence):
  with pytest.raises(UserError, match=f'{sentence}: scores would be optimistic'):
    Split(*parts)


@pytest.mark.parametrize('fold', [5, -2])
def test_a_fold_that_does_not_exist_is_refused(fold):
  with pytest.raises(UserError, match=f'fold is {fold}, but there are folds 0 to 4'):
    make_split(SUBJECTS, config(fold=fold))


def test_too_few_subjects_are_refused_with_what_would_fit():
  with pytest.raises(UserError, match=r'4 subjects outside the test set .* into 5 folds.*folds=4 or fewer'):
    make_split(SUBJECTS[:5], config())
  assert len(make_split(SUBJECTS[:5], config(folds=4)).validation) == 1  # the advice holds
  assert len(make_split(SUBJECTS[:5], config(fold=-1)).train) == 4
  with pytest.raises(UserError, match=r'1 subject outside .*: set --config.split.fold=-1 to train without'):
    make_split(SUBJECTS[:1], config())  # no number of folds would do
  with pytest.raises(UserError, match=r'2 subjects outside .* 3 folds.*: set --config.split.folds=2, or'):
    make_split(SUBJECTS[:2], config(folds=3))
  with pytest.raises(UserError, match=r'16 subjects .* 1 folds, one of which validates while others train'):
    make_split(SUBJECTS, config(folds=1))
  with pytest.raises(UserError, match='no subject is left for training'):
    make_split(SUBJECTS[:1], config(fold=-1, test_fraction=1.0))


def test_an_unknown_part_is_refused():
  with pytest.raises(UserError, match="split 'training' is not one of 'train', 'validation', 'test', 'all'"):
    make_split(SUBJECTS, config()).subjects('training')


def test_a_split_comes_back_from_its_text_and_its_hash_tells_it_apart():
  split = make_split(SUBJECTS, config())
  again = Split.from_json(split.to_json())
  assert again == split
  assert again.hash == split.hash
  assert len(split.hash) == 12
  others = [make_split(SUBJECTS, config(seed=1)), make_split(SUBJECTS, config(fold=1)), Split(split.train, (), ())]
  assert len({split.hash, *(other.hash for other in others)}) == 4
