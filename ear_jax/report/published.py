"""Values that others published, as bands beside ours: never without source, sample and method, and no normal ranges.

What is cited elsewhere without one of the three is left out: strains by DENSE, tagging and feature tracking are.
"""

import dataclasses
import pathlib

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.formats.people_file import read_table
from ear_jax.scoring.cohort import STRAINS, WHOLE, unit
from ear_jax.system.errors import UserError, some

_COLUMNS = ('level', 'component', 'marker', 'mean', 'spread', 'unit', 'source', 'sample', 'method')
_OF_VELOCITY = {'mean_cm_s': 'mean', 'spread_cm_s': 'spread'}  # columns of files of version 0.2.0, all in cm/s


@dataclasses.dataclass(frozen=True)
class Band:
  """A published peak velocity (cm/s) or strain (%) of a level: mean and what stands behind its ±."""

  level: str
  component: str
  marker: str
  mean: float
  spread: float
  source: str
  sample: str
  method: str

  @property
  def unit(self) -> str:
    """Of mean and spread."""
    return unit(self.component)


_CODREANU = {
  'source': 'Codreanu et al., "Normal values of regional and global myocardial wall motion in young and elderly '
  'individuals using navigator gated tissue phase mapping", abstract',
  'method': 'navigator-gated tissue phase mapping; the abstract does not say whether ± is SD or standard error',
}
_YOUNG, _OLD = ('healthy non-smokers, 23 ± 3 years, n = 14', 'healthy non-smokers, 66 ± 7 years, n = 9')
_VELOCITIES = tuple(
  Band('mid', 'longitudinal', marker, mean, spread, sample=sample, **_CODREANU)
  for marker, mean, spread, sample in (
    ('PS', 8.5, 0.8, _YOUNG),
    ('PD', -15.2, 0.9, _YOUNG),
    ('PS', 5.9, 0.5, _OLD),
    ('PD', -10.7, 0.7, _OLD),
  )
)
PUBLISHED = (
  *_VELOCITIES,
  Band(
    WHOLE,
    'longitudinal strain',
    'smallest',
    -18.0,
    10.0,
    source='Heiberg et al., J Cardiovasc Magn Reson 2013;15:15',
    sample='healthy, 35 ± 12 years, n = 36',
    method='velocity-encoded magnetic resonance, global longitudinal strain',
  ),
)


def read_bands(path: pathlib.Path) -> list[Band]:
  """Returns a user's own bands, one a line of a csv file with the columns that `Band` has.

  A file with the columns 'mean_cm_s' and 'spread_cm_s' in place of 'mean', 'spread' and 'unit' is in cm/s.

  Raises: UserError when a column is missing, a cell is empty, a number is none, a component is unknown, or its unit is
    another.
  """
  bands = []
  table = read_table(path, ())
  if set(_OF_VELOCITY) <= set(table):
    table = table.rename(columns=_OF_VELOCITY).assign(unit='cm/s')
  if missing := [name for name in _COLUMNS if name not in table]:
    raise UserError(f'{path} has no column {some(missing)}: expected {", ".join(_COLUMNS)}')
  for line, row in enumerate(table[list(_COLUMNS)].itertuples(index=False, name=None), start=2):
    level, component, marker, mean, spread, measured, *said = row
    try:
      numbers = float(mean), float(spread)
    except ValueError as fault:
      raise UserError(f'{path}, line {line}: mean {mean!r} and spread {spread!r} must be numbers') from fault
    if component not in (*COMPONENTS, *STRAINS) or not all((level, marker, *said)):
      raise UserError(
        f'{path}, line {line}: level, marker, source, sample and method must be said, and component be one of '
        f'{", ".join((*COMPONENTS, *STRAINS))}'
      )
    if measured != unit(component):
      raise UserError(f'{path}, line {line}: {component} is in {unit(component)}, and the unit there is {measured!r}')
    bands.append(Band(level, component, marker, *numbers, *said))
  return bands
