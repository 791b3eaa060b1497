"""What is said of contours of a network, of a person, and of a file that does not say whose they are."""

import dataclasses

import numpy as np
import pytest

from ear_jax.analysis import origin
from ear_jax.analysis.motion import Contours

NETWORKS = (
  'ear3d-magnitude: unet3d, step 9, trained on phantoms',
  'ear3d, step 12, configuration 1a, trained on folder',
)
BARE = Contours(np.zeros((4, 3, 2)), np.zeros((4, 3, 2)), ('',) * 4, np.zeros(4, bool))


@pytest.mark.parametrize(('origins', 'failed', 'changed', 'said', 'by_person', 'seen'), [
  (['network'] * 4, [], {}, 'networks ear3d-magnitude and ear3d, step 12, configuration 1a, untouched', False, None),
  (['network'] * 4, [], {'networks': ()}, 'a program that is not named, untouched', False, None),
  (['carried', 'drawn', 'carried', 'carried'], [], {'networks': (), 'corrected': True},
   '1 frame by hand, 3 followed', False, [1]),
  (['carried', 'drawn', 'agreed', 'drawn'], [], {'networks': NETWORKS[:1], 'drawn': True, 'corrected': True},
   '2 frames by hand, 1 agreed to, 1 followed; begun with network ear3d-magnitude', True, [0, 1, 2, 3]),
  (['network', 'network', 'cleared', 'network'], [2], {'networks': NETWORKS[:1], 'drawn': True},
   '3 frames of the network, untouched, 1 said to hold no ventricle; begun with network ear3d-magnitude', True,
   [0, 1, 3]),
  (['given'] * 4, [3], {'networks': (), 'drawn': True}, '3 frames of a file that does not say who drew them', True,
   [0, 1, 2]),
  (['mask'] * 4, [3], {'networks': ()}, '3 frames of a mask that came with the study', True, None),
  ([], [], {'networks': (), 'drawn': True, 'corrected': True}, '4 frames by a person, drawn or corrected', True,
   [0, 1, 2, 3]),
  (['network'] * 4, [0, 1, 2, 3], {}, 'none', False, None),
])  # fmt: skip
def test_contours_are_said_to_be_what_they_are(origins, failed, changed, said, by_person, seen):
  contours = dataclasses.replace(
    BARE, origins=tuple(origins), failed=np.isin(range(4), failed), **({'networks': NETWORKS} | changed)
  )
  assert origin.in_words([contours]) == said
  assert origin.by_person(contours) == by_person
  looked_at = origin.looked_at(contours)
  assert (looked_at and np.flatnonzero(~looked_at.failed).tolist()) == seen


def test_a_study_is_all_of_its_slices():
  one, other = origin.all_of(BARE, 'network', NETWORKS[:1]), origin.all_of(BARE, 'drawn')
  assert (
    origin.in_words([one, other]) == '4 frames by hand, 4 of the network, untouched; begun with network ear3d-magnitude'
  )
