"""A network's contours beside those that came with the study: what a reader asks first, as one table.

Ejection fraction, volumes and mass of both, over the same slices and the frames with a reference
(`scoring.volume_agreement`), and the Dice of the walls in the frames that both have.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import Contours, SliceMotion
from ear_jax.cine import Cine, Place
from ear_jax.report.page_numbers import plain
from ear_jax.scoring.volume_agreement import OF_REFERENCE, QUANTITIES, agree, frame_areas

_SHOWN = ('EDV', 'ESV', 'ejection fraction', 'mass')


@dataclasses.dataclass(frozen=True, eq=False)
class Beside:
  """One slice by a network and by its reference.

  Attributes:
    areas: of `frame_areas`.
    dice: `[T]`, of the walls; NaN in frames in which either has none.
    place: of the slice; None when unknown.
  """

  areas: pd.DataFrame
  dice: np.ndarray
  place: Place | None

  def without_network(self, frames: np.ndarray) -> Self:
    """Returns the slice as one in which the network found no ventricle in some frames, `[T]` bool."""
    gone = frames[self.areas['frame'].to_numpy()]
    areas = self.areas.copy()
    areas.loc[gone, ['endo_predicted', 'epi_predicted']] = math.nan
    return dataclasses.replace(self, areas=areas, dice=np.where(frames, math.nan, self.dice))


def beside(
  cine: Cine, motion: SliceMotion, drawn: Contours | None, cavities: Mapping[int, np.ndarray]
) -> Beside | None:
  """Returns a slice by both; None where no contours came with it.

  Args:
    cine: with its reference mask.
    motion: its analysis by a network.
    drawn, cavities: of `frame_areas`.
  """
  if not cine.annotated.any() and not cavities:
    return None
  own, reference = motion.mask.astype(bool), cine.mask.astype(bool)
  dice = 2.0 * (own & reference).sum((1, 2)) / np.maximum(own.sum((1, 2)) + reference.sum((1, 2)), 1)
  dice[~cine.annotated | motion.contours.failed] = math.nan
  return Beside(frame_areas(cine, motion.contours, drawn, cavities), dice, cine.place)


def tell(slices: Mapping[str, Beside]) -> dict[str, Any] | None:
  """Returns what summary.json and the page say of the slices of one study; None where no contours came with it.

  Args:
    slices: by their ids, those with a reference.
  """
  if not slices:
    return None
  areas = pd.concat([one.areas for one in slices.values()], ignore_index=True)
  (dataset,) = areas['dataset'].unique()
  found = agree(areas, {(dataset, name): one.place for name, one in slices.items()})
  dice = np.concatenate([one.dice for one in slices.values()])
  told: dict[str, Any] = {
    'frames': len(areas),
    'dice': plain(np.round(np.nanmean(dice), 4)) if np.isfinite(dice).any() else None,
    'dice_frames': int(np.isfinite(dice).sum()),
    'quantities': {},
    'missing': '',
  }
  if found.empty:
    return told | {'missing': 'the slices with contours are no stack whose volume could be summed'}
  line = found.iloc[0]
  told |= {'slices': int(line['slices']), 'left_out': int(line['left_out']), 'ed_frame': int(line['ed'])}
  told['es_frame'] = None if pd.isna(line['es']) else int(line['es'])
  for name in _SHOWN:
    unit, values = QUANTITIES[name], [float(line[f'{name}_{side}']) for side in ('predicted', 'reference')]
    if not line['stack'] and unit != '%':  # the slices' distance is unknown: of a volume there is the ratio alone
      unit, values = OF_REFERENCE, [100 * value / values[1] for value in values]
    if np.isfinite(values).all():
      told['quantities'][name] = {'unit': unit} | dict(zip(('network', 'reference'), np.round(values, 2), strict=True))
  return told
