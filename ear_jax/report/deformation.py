"""What the results of a study say of its deformation: tables, pictures, and its part of the page and of the summary."""

import base64
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ear_jax.analysis.deformation import Deformation
from ear_jax.analysis.function import measures, segment_table, turning
from ear_jax.analysis.motion import KINDS, SliceMotion, region_names
from ear_jax.analysis.strain import LARGEST_RATE_ERROR, readable
from ear_jax.report import bulls_eye, figures, strain_curves
from ear_jax.report.page_numbers import plain
from ear_jax.system.csv_files import write_csv

PICTURES = ('strain.png', 'strain.svg', 'strain.pdf')
FILES = ('strain.csv', 'segments.csv', 'function.csv', 'twist.csv', *PICTURES, 'bulls_eye.png')


class Told(NamedTuple):
  """A study's deformation as the page shows it.

  Attributes:
    rows: of `function.measures`, as dicts with None for what is not known.
    segments: of `function.segment_table`, the same.
    notes: what a reader must know.
    bulls_eye: the picture, as a data URI; '' without any segment.
    curves: name of a slice to its strain curves, as a data URI.
  """

  rows: Sequence[Mapping]
  segments: Sequence[Mapping]
  notes: Sequence[str]
  bulls_eye: str
  curves: Mapping[str, str]


def tell(deformation: Deformation) -> Told:
  """Returns the deformation of a study for its page and summary."""
  rows, segments = _records(measures(deformation)), segment_table(deformation)
  known = segments.filter(like='_percent').notna().to_numpy().any()
  curves = {
    one.name: _uri(strain_curves.figure(deformation, [k]))
    for k, one in enumerate(deformation.motions)
    if np.isfinite(one.strain.strain['global']).any()
  }
  return Told(rows, _records(segments), deformation.notes, _uri(bulls_eye.figure(segments)) if known else '', curves)


def write(folder: pathlib.Path, pseudonym: str, deformation: Deformation | None) -> None:
  """Writes `FILES` into a folder, or removes what an earlier analysis wrote where `found` is None."""
  for name in FILES:
    (folder / name).unlink(missing_ok=True)
  if deformation is None or not deformation.motions:
    return
  write_csv(folder / 'strain.csv', *map(strain_table, deformation.motions))
  segments = segment_table(deformation)
  write_csv(folder / 'segments.csv', segments)
  write_csv(folder / 'function.csv', measures(deformation))
  if len(deformation.motions) > 1:
    write_csv(folder / 'twist.csv', turning(deformation))
  figures.save_each(strain_curves.figure(deformation, title=pseudonym), folder, PICTURES)
  figures.save(bulls_eye.figure(segments, title=pseudonym), folder / 'bulls_eye.png')


def strain_table(motion: SliceMotion) -> pd.DataFrame:
  """Returns one line a value: slice, level, group, region, region_name, kind, frame, time_ms, strain_percent,
  strain_standard_error, rate_1_s, rate_standard_error; a value that is noise is empty, its error is not."""
  parts = []
  for group, values in motion.strain.strain.items():
    region, frame, kind = (axis.ravel() for axis in np.indices(values.shape))
    table = pd.DataFrame({'group': group, 'region': region})
    table.insert(0, 'slice', motion.name.rpartition('/')[2])
    table.insert(1, 'level', motion.level)
    table['region_name'] = np.array(region_names(group, motion.settings.orientation), object)[region]
    table['kind'] = np.array(KINDS, object)[kind]
    table['frame'], table['time_ms'] = frame, frame * motion.frame_interval
    error, rate_error = motion.strain.strain_error[group], motion.strain.rate_error[group]
    table['strain_percent'] = readable(values, error).ravel()
    table['strain_standard_error'] = error.ravel()
    table['rate_1_s'] = readable(motion.strain.rate[group], rate_error, LARGEST_RATE_ERROR).ravel()
    table['rate_standard_error'] = rate_error.ravel()
    parts.append(table.sort_values(['region', 'kind', 'frame']))
  return pd.concat(parts, ignore_index=True)


def _records(table: pd.DataFrame) -> list[dict]:
  return [
    {key: plain(value) if isinstance(value, float) else value for key, value in row.items()}
    for row in table.to_dict('records')
  ]


def _uri(figure: Figure) -> str:
  file = io.BytesIO()
  FigureCanvasAgg(figure)
  figure.savefig(file, format='png', dpi=130, metadata={'Software': None})
  return 'data:image/png;base64,' + base64.b64encode(file.getvalue()).decode()
