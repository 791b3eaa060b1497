"""A fault names file, frame and rule; all faults come in one error."""

import pickle

import numpy as np
import pytest

from ear_jax.formats import checks
from ear_jax.formats.faults import Fault, MalformedStudy, frames, require_none
from ear_jax.formats.opened import gathered


def test_all_faults_are_listed_in_the_order_of_their_files():
  faults = [Fault('b.h5', 'slice MID, frame 3', 'video holds NaN'), Fault('a.h5', '', 'no slice')]
  with pytest.raises(MalformedStudy) as error:
    require_none('studies', faults)
  assert str(error.value) == (
    'studies: 2 problems; nothing was read.\n  a.h5: no slice\n  b.h5, slice MID, frame 3: video holds NaN'
  )
  assert isinstance(error.value, ValueError)


def test_what_the_whole_folder_lacks_is_a_sentence_with_the_path_that_was_asked():
  assert str(MalformedStudy('missing/path', [Fault('.', '', 'no such folder')])) == 'missing/path: no such folder'
  two = MalformedStudy('here', [Fault('.', '', 'no study'), Fault('.', 'anna', 'twice'), Fault('a', '', 'closed')])
  assert str(two) == 'here: 3 problems; nothing was read.\n  no study\n  anna: twice\n  a: closed'


def test_no_fault_raises_nothing():
  require_none('studies', [])


def test_the_error_survives_pickling():
  error = MalformedStudy('studies', [Fault('a.h5', '', 'no slice')])
  copy = pickle.loads(pickle.dumps(error))
  assert (str(copy), copy.faults) == (str(error), error.faults)


def test_frames_counts():
  assert (frames([3]), frames([3, 7])) == ('frame 3', 'frames 3, 7')


@pytest.mark.parametrize(
  ('times', 'late'),
  [([0, 20, 40], []), ([0, 20, 20], [2]), ([0, 40, 20, 60], [2]), ([0, np.nan, 40], [1, 2]), ([5], [])],
)
def test_times_must_increase(times, late):
  assert [fault.frame for fault in checks.time_faults('f', '', times)] == [f'frame {t}' for t in late]


@pytest.mark.parametrize(
  ('found', 'wanted', 'rule'),
  [
    (4, None, None),
    (1, None, None),
    (3, None, 'video has 3, expected 1 (magnitude) or 4 (magnitude and three velocities)'),
    (1, 4, 'video has 1, expected 4 (magnitude and three velocities)'),
  ],
)
def test_channel_count(found, wanted, rule):
  faults = checks.channel_faults('f', '', found, wanted)
  assert [fault.rule for fault in faults] == ([f'wrong channel count: {rule}'] if rule else [])


def test_a_note_of_many_slices_names_some_and_counts_them():
  notes = {f's{k}': ['no padding'] if k else [] for k in range(31)}
  assert gathered(notes) == ['s1, s2, s3, s4, s5, s6, s7, s8, ... (30 of them): no padding']
  assert gathered({name: ['no padding'] for name in 'ab'}) == ['no padding']
