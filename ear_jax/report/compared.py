"""What a comparison of studies found, and what was asked: pure data, made into tables, pictures and a page."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.formats.result_folder import Results
from ear_jax.report.published import Band
from ear_jax.scoring.max_t import MaxT


@dataclasses.dataclass(frozen=True)
class Choice:
  """What is compared, and how.

  Attributes:
    align: of `cohort.ALIGNMENTS`.
    levels: of 'base', 'mid', 'apex'; none: all that the studies have, which must be the same.
    components: of `motion.COMPONENTS`.
    regions: of 'sectors' and 'layers', that are compared beside the whole wall.
    strain: compare strains, too.
    failed: take studies whose quality gate failed, too.
    families: of `groups.FAMILIES`, in which differences of groups are claimed.
    published: put published values beside peaks.
    permutations: labellings of the test of curves.
    seed: of these.
  """

  align: str = 'rr'
  levels: tuple[str, ...] = ()
  components: tuple[str, ...] = COMPONENTS
  regions: tuple[str, ...] = ()
  strain: bool = False
  failed: bool = False
  families: tuple[str, ...] = ('curves', 'velocities')
  published: bool = True
  permutations: int = 10_000
  seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
  """Two groups.

  Attributes:
    labels: of the first and the second.
    curves, test: of `groups.compare_curves`.   in_curves: people of each in the curves.
    peaks: of `groups.compare_peaks`.
    people: peaks, one line a person.   second: `[n]` bool, which of them are in the second group.
  """

  labels: tuple[str, str]
  curves: pd.DataFrame
  test: MaxT
  in_curves: tuple[int, int]
  peaks: pd.DataFrame
  people: pd.DataFrame
  second: np.ndarray

  @property
  def sizes(self) -> tuple[int, int]:
    """People of each group in the peaks."""
    return int((~self.second).sum()), int(self.second.sum())


@dataclasses.dataclass(frozen=True, eq=False)
class Normal:
  """Studies against a normal group: `normal_group.against_normal`, and the curves of the group, one line a person."""

  scores: pd.DataFrame
  curves: pd.DataFrame


@dataclasses.dataclass(frozen=True, eq=False)
class Visits:
  """Visits of people: `changes` and `repeatability` of `visit_changes`."""

  changes: pd.DataFrame
  repeatability: pd.DataFrame


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
  """What was found; what was not asked for is None.

  Attributes:
    studies: all, those too that are in no number.
    named: study to its 'group', 'person' and 'visit', as far as files say them.
    curves, peaks: one line a study that can be compared (`cohort.table`).
    notes: what a reader must know, a sentence each.
    choice: what was asked.
    bands: published and own values.
  """

  studies: Sequence[Results]
  named: Mapping[str, Mapping[str, str]]
  curves: pd.DataFrame
  peaks: pd.DataFrame
  notes: Sequence[str]
  choice: Choice
  bands: Sequence[Band]
  groups: Groups | None = None
  normal: Normal | None = None
  visits: Visits | None = None
