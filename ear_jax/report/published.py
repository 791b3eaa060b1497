"""Values that others published, as bands beside ours: never without source, sample and method, and no normal ranges."""

import dataclasses
import pathlib

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.formats.people_file import read_table
from ear_jax.system.errors import UserError

_COLUMNS = ('level', 'component', 'marker', 'mean_cm_s', 'spread_cm_s', 'source', 'sample', 'method')


@dataclasses.dataclass(frozen=True)
class Band:
  """A published peak velocity of the whole wall at a level: mean and what stands behind its ±, cm/s."""

  level: str
  component: str
  marker: str
  mean: float
  spread: float
  source: str
  sample: str
  method: str


_CODREANU = {
  'source': 'Codreanu et al., "Normal values of regional and global myocardial wall motion in young and elderly '
  'individuals using navigator gated tissue phase mapping", abstract',
  'method': 'navigator-gated tissue phase mapping; the abstract does not say whether ± is SD or standard error',
}
_YOUNG, _OLD = ('healthy non-smokers, 23 ± 3 years, n = 14', 'healthy non-smokers, 66 ± 7 years, n = 9')
PUBLISHED = tuple(
  Band('mid', 'longitudinal', marker, mean, spread, sample=sample, **_CODREANU)
  for marker, mean, spread, sample in (
    ('PS', 8.5, 0.8, _YOUNG),
    ('PD', -15.2, 0.9, _YOUNG),
    ('PS', 5.9, 0.5, _OLD),
    ('PD', -10.7, 0.7, _OLD),
  )
)


def read_bands(path: pathlib.Path) -> list[Band]:
  """Returns a user's own bands, one a line of a csv file with the columns that `Band` has.

  Raises: UserError when a column is missing, a cell is empty, a number is none, or component or level is unknown.
  """
  found = []
  table = read_table(path, _COLUMNS)
  for line, row in enumerate(table[list(_COLUMNS)].itertuples(index=False, name=None), start=2):
    level, component, marker, mean, spread, *said = row
    try:
      numbers = float(mean), float(spread)
    except ValueError as fault:
      raise UserError(f'{path}, line {line}: mean {mean!r} and spread {spread!r} must be numbers, cm/s') from fault
    if component not in COMPONENTS or not all((level, marker, *said)):
      raise UserError(
        f'{path}, line {line}: level, marker, source, sample and method must be said, and component be one of '
        f'{", ".join(COMPONENTS)}'
      )
    found.append(Band(level, component, marker, *numbers, *said))
  return found
