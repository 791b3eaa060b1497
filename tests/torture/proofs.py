"""Rows of the table that tests already hold: each runs its tests as `make test` does, and counts them."""

import pathlib
import subprocess
import sys
from xml.etree import ElementTree

from registry import Fault, Outcome
from surroundings import ROOT, plain_environment

sys.path.append(str(ROOT / 'tests/analysis'))
_BLOCK = 2000  # pairs of masks a call
_PASSES = 6


def _run(*command: object) -> subprocess.CompletedProcess:
  command = [sys.executable, *map(str, command)]
  return subprocess.run(command, cwd=ROOT, env=plain_environment(), capture_output=True, text=True)


def _tests(*chosen):
  def run(seed: int, folder: pathlib.Path) -> Outcome:
    report = folder / 'report.xml'
    command = ('-m', 'pytest', '-q', '-p', 'no:cacheprovider', f'--junitxml={report}', *chosen)
    said = _run(*command).stdout
    suite = ElementTree.parse(report).find('testsuite')  # our own file
    counts = {key: int(suite.get(key)) for key in ('tests', 'failures', 'errors', 'skipped')}
    tried = counts['tests'] - counts['skipped']
    failed = counts['failures'] + counts['errors']
    if not tried:
      return Outcome.failed(f'no test ran: {said[-500:]}')
    return Outcome(tried, tried - failed, 'nothing' if not failed else 'unknown', (said[-2000:],) if failed else ())

  return run


def _masks(seed: int, folder: pathlib.Path) -> Outcome:
  """Scores of random masks against SciPy's and scikit-image's."""
  from test_other_scores import difference

  wrong = [text for _, text in map(difference, range(_BLOCK * seed, _BLOCK * (seed + 1))) if text]
  return Outcome(_BLOCK, _BLOCK - len(wrong), 'nothing' if not wrong else 'unknown', tuple(wrong))


def _same_logits(seed: int, folder: pathlib.Path) -> Outcome:
  """Passes of 3D-EAR over cines of 50 x 128 x 128 on two devices: the same bits as on one."""
  done = _run(pathlib.Path(__file__).with_name('large_passes.py'), _PASSES)
  if done.returncode:
    return Outcome.failed(done.stderr[-2000:])
  other = [line for line in done.stdout.splitlines() if float(line.split()[-1]) > 0]
  return Outcome(_PASSES, _PASSES - len(other), 'nothing' if not other else 'the result', tuple(other))


_ROWS = {
  'training': {
    'SIGKILL to either of two processes: the other ends with a sentence': (
      'tests/runs/test_processes.py',
      '-k',
      'killed',
    ),
    'SIGTERM to one of two processes: both save and end': ('tests/runs/test_processes.py', '-k', 'sigterm'),
  },
  'privacy': {
    'planted names, dates, identifiers: outputs, logs, caches, data sets': ('tests/runs/test_privacy.py',),
    'train, evaluate, export, predict without a network': ('tests/torture/test_closed.py',),
    'code in data: imports, calls, templates, pickles': ('tests/test_nothing_executable.py',),
    'markup in names, on a page': ('tests/report/test_page.py', '-k', 'markup or browser'),
  },
  'numbers': {
    'velocity curves, against loops over pixels': ('tests/analysis/test_velocity.py',),
    'gradients of losses and networks, against finite differences': ('tests/training/test_gradients.py',),
    'bfloat16 against float32: loss, gradient, parameters': ('tests/training/test_bfloat16.py',),
    'two devices against one: 20 steps to 1e-5': ('tests/runs/test_resume.py', '-k', 'two_devices'),
  },
}
FAULTS = (
  *(Fault(name, _tests(*chosen), group=group) for group, rows in _ROWS.items() for name, chosen in rows.items()),
  Fault('scores of random masks, against SciPy and scikit-image', _masks, times=5, group='numbers'),
  Fault('passes over long cines on two devices, again and again', _same_logits, group='numbers'),
)
