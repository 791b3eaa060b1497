"""Pictures of a slice for the page: all frames of a view as tiles of one sheet, 8 bits a pixel, without loss."""

import io
import math

import numpy as np
from PIL import Image

from ear_jax.cine import ALONG_COLUMN, ALONG_ROW, THROUGH_PLANE, Cine
from ear_jax.report.overlay import grey

MAGNITUDE, SPEED, THROUGH = 'magnitude', 'speed', 'through'


def names_of(cine: Cine) -> tuple[str, ...]:
  """Returns the views that a cine has."""
  return (MAGNITUDE,) if cine.venc is None else (MAGNITUDE, SPEED, THROUGH)


def columns_of(frames: int) -> int:
  """Returns how many tiles lie side by side in a sheet."""
  return math.ceil(math.sqrt(frames))


def sheet(cine: Cine, view: str) -> bytes:
  """Returns a view of all frames as one PNG: grey; speed in the plane, white at venc; through the plane, grey is 0."""
  if view == MAGNITUDE:
    shade = grey(cine.video[..., 0])
  elif view == SPEED:
    venc = cine.venc or (1.0, 1.0, 1.0)
    shade = np.hypot(cine.video[..., ALONG_COLUMN] / venc[0], cine.video[..., ALONG_ROW] / venc[1])
  else:
    shade = cine.video[..., THROUGH_PLANE] / (cine.venc or (1.0, 1.0, 1.0))[2] / 2 + 0.5
  codes = np.rint(np.clip(shade, 0, 1) * 255).astype(np.uint8)
  count, height, width = codes.shape
  columns = columns_of(count)
  tiles = np.pad(codes, ((0, -count % columns), (0, 0), (0, 0)))
  rows = tiles.reshape(-1, columns, height, width).swapaxes(1, 2).reshape(-1, columns * width)
  file = io.BytesIO()
  Image.fromarray(rows).save(file, 'png', compress_level=1)
  return file.getvalue()
