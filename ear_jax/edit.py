"""Corrects contours in a local page: `python -m ear_jax.edit STUDY [--checkpoint NETWORK] [--output FOLDER]`.

STUDY is what `predict` reads; several studies in one folder become a list. The server answers on this machine alone, at
the address that it prints. Every gesture is on the disk when the page shows it; saved results are those of `predict`
(`docs/edit.md`).
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys
from types import SimpleNamespace

from absl import flags, logging

from ear_jax.editor import OUTPUT
from ear_jax.networks import weights
from ear_jax.predict import choices_of, options_of, say_origin, study_flags
from ear_jax.system import cli
from ear_jax.system.errors import UsageError, UserError, printable
from ear_jax.system.files import require_writable


def main() -> None:
  """Reads the command line and serves the page until Ctrl-C."""
  # Read when numpy is imported. A gesture is answered by thousands of small products: threads that wait for each other
  # made them a hundred times slower on a busy machine.
  os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
  cli.run(
    _edit,
    flags.DEFINE_string('output', OUTPUT, 'Folder for edits and results.'),
    flags.DEFINE_string(
      'checkpoint',
      None,
      f'Network that it begins with: {weights.accepted()}; several with commas between them are averaged.',
    ),
    flags.DEFINE_string('results', None, 'Folder of results of predict or edit to begin with, in place of a network.'),
    flags.DEFINE_multi_string('contours', None, 'StrainMap file (.nc), or a folder with contours, to begin with.'),
    flags.DEFINE_string('person', 'reader', 'Pseudonym of who edits; it is written into the results.'),
    flags.DEFINE_bool('blind', False, 'Show no contours that a person made: for a second reader.'),
    *study_flags(),
    flags.DEFINE_integer('port', 0, 'Port of the page on this machine; 0: any.', lower_bound=0, upper_bound=65535),
    flags.DEFINE_bool('browser', True, 'Open the page in the browser.'),
    words=1,  # STUDY
  )


def _edit(given: SimpleNamespace) -> None:
  if len(given.words) != 1 or not given.output:
    raise UsageError('give one STUDY (a folder or a file), and --output for another folder than ./corrected')
  if given.blind and (given.results or given.contours):
    raise UsageError('--blind shows no contours of others: leave --results and --contours out')
  if given.results and given.checkpoint:
    raise UsageError('give --checkpoint or --results to begin with, not both')
  if not all(importlib.util.find_spec(name) for name in ('starlette', 'uvicorn')):
    raise UserError('the page needs starlette and uvicorn: pip install "ear_jax[edit]"')
  names = given.checkpoint.split(',') if given.checkpoint else []
  for name in names:
    weights.locate(name)  # before anything slow
  logging.info('loading jax and its libraries')
  from ear_jax.editor.begin import begin
  from ear_jax.editor.serve import serve
  from ear_jax.report.results import check_pseudonym

  check_pseudonym(given.person)
  cli.request_cpu_devices(0, 0)
  study, output = (pathlib.Path(p).expanduser() for p in (given.words[0], given.output))
  studies, faults = begin(
    study,
    output,
    checkpoints=names,
    results=given.results and pathlib.Path(given.results).expanduser(),
    contours=[pathlib.Path(path).expanduser() for path in given.contours or []],
    blind=given.person if given.blind else '',
    options=options_of(given),
    choices=choices_of(given),
  )
  for unused in faults:
    print(f'error: {unused}', file=sys.stderr)
  for one in studies:
    for fault in one.opened.faults:
      print(f'error: {fault}', file=sys.stderr)
  require_writable(output, 'edits and results')
  for one in studies:
    say_origin(one.name, one.opened, study)
  print(printable(f'edits and results go to {output}'))
  serve(studies, given.person, port=given.port, browser=given.browser)


if __name__ == '__main__':
  main()
