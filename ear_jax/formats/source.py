"""Where a cine came from: what its writers need to know beyond the `Cine` itself, and no name of a person."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Self

import numpy as np

from ear_jax.analysis.motion import Contours
from ear_jax.analysis.septum import Septum
from ear_jax.cine import Place


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
  """The origin of one slice.

  Attributes:
    instances: DICOM file of the magnitude of each frame, in the order of the frames; empty for other formats.
    frames: index of each of them in its file, None where the file is the picture; empty: every file is.
    position: mm along the slice normal; NaN when unknown.
    orientation: ImageOrientationPatient, six direction cosines; None when unknown.
    septum: `[T, 2]` (row, column) in pixels of the mid-septal point, and who set it, where a file has one.
    notes: what the reader had to decide or skipped, in words without identifiers.
    cavities: endocardium `[N, 2]` (row, column) of frames in which a person drew it alone; no part of `drawn`.
    drawn: the contours by a person that the mask of the cine was made from, points as they were drawn; None without.
    signs: +1 or -1 for the velocity along column, along row, through the plane, where the file of the contours says
      so; they are not applied to the video.
    sectors: 'CW' or 'CCW', the order of the sectors where the file of the contours says so; '' else.
    labels: `[T, H, W]` uint8, more structures than the myocardium as `formats.labels` numbers them; None without.
  """

  instances: tuple[pathlib.Path, ...] = ()
  position: float = math.nan
  orientation: tuple[float, ...] | None = None
  septum: Septum | None = None
  notes: tuple[str, ...] = ()
  drawn: Contours | None = None
  signs: tuple[int, int, int] | None = None
  sectors: str = ''
  labels: np.ndarray | None = None
  frames: tuple[int | None, ...] = ()
  cavities: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)

  def at(self, place: Place | None) -> Self:
    """Returns the source with position and orientation as the place of its cine says, where its reader left them out.

    A format without headers of its own for them, such as NIfTI, states them by the place alone.
    """
    if place is None or self.orientation is not None:
      return self
    normal = np.cross(place.across, place.down)
    return dataclasses.replace(
      self, position=float(normal @ np.array(place.corner)), orientation=(*place.across, *place.down)
    )
