"""Measures the velocity analysis on phantoms: `python -m ear_jax.measure_accuracy --subjects 20 --output FILE.json`.

Two questions, both with the true mask, so that only the way from pixels to curves is judged. How far are curves from
the analytic truth when velocities are exact, at base, mid and apex? And how far are the peaks of a noisy, band-limited
scan from the true ones, in the mean over subjects? The second is asked of noise alone, with the default settings; of
noise with all that blurs a scan besides (band limit, view sharing, the ghosts of a spiral), with the default settings
and with those that know the scanner (half an acquired pixel of border, and its view sharing); and with these on scans
without ghosts, which no setting undoes. Writes FILE.json, and FILE.md with the same as tables.
"""

import json
import pathlib
import time
from types import SimpleNamespace

from absl import flags

from ear_jax.system import cli, files
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, measures and writes."""
  cli.run(
    _measure,
    flags.DEFINE_string('output', None, 'File to write, .json.'),
    flags.DEFINE_integer('subjects', 20, 'How many phantom subjects.', lower_bound=2),
    flags.DEFINE_integer('cohort', 1, 'Seed of the subjects; 0 are those that networks are trained on.'),
    writes='file',
  )


def _measure(given: SimpleNamespace) -> None:
  from ear_jax.workflows.measure_accuracy import measure, to_markdown

  if not given.output:
    raise UsageError('name the file to write with --output FILE.json')
  output = pathlib.Path(given.output)
  if output.suffix != '.json':
    raise UsageError(f'--output {output}: expected the name of a .json file')
  start = time.monotonic()
  results = measure(given.subjects, cohort=given.cohort)
  results['seconds'] = round(time.monotonic() - start, 1)
  files.write_text(output, json.dumps(results, indent=2, allow_nan=False) + '\n')
  files.write_text(output.with_suffix('.md'), to_markdown(results))
  print(to_markdown(results))


if __name__ == '__main__':
  main()
