"""Where a cine came from: what its writers need to know beyond the `Cine` itself, and no name of a person."""

import dataclasses
import math
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
  """The origin of one slice.

  Attributes:
    instances: DICOM file of the magnitude of each frame, in the order of the frames; empty for other formats.
    position: mm along the slice normal; NaN when unknown.
    orientation: ImageOrientationPatient, six direction cosines; None when unknown.
    septum: `[T, 2]` (row, column) in pixels of the mid-septal point, where the file states one.
    notes: what the reader had to decide or passed over, in words without identifiers.
  """

  instances: tuple[pathlib.Path, ...] = ()
  position: float = math.nan
  orientation: tuple[float, ...] | None = None
  septum: np.ndarray | None = None
  notes: tuple[str, ...] = ()
