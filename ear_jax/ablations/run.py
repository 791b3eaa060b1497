"""Runs the jobs of a grid that have no result yet, and writes the results of all."""

import pathlib
import runpy
import shutil
import sys

from absl import logging
from ml_collections import ConfigDict
from rich.console import Console

from ear_jax.ablations.gather import read_results
from ear_jax.ablations.grid import cells, jobs
from ear_jax.ablations.launcher import Launcher
from ear_jax.ablations.queue import BLOCKED, FAILED, Queue, work
from ear_jax.ablations.rehearsal import rehearse
from ear_jax.ablations.report import write_report
from ear_jax.ablations.status import Status, complaint
from ear_jax.config.flag import neighbours_of
from ear_jax.system.errors import UserError
from ear_jax.system.files import replacing, write_text
from ear_jax.system.lock import only_writer

_POLL = {True: 0.5, False: 10.0}  # seconds between looks, jobs local or on a cluster


def run(grid: ConfigDict, workdir: pathlib.Path, output: pathlib.Path | None = None) -> int:
  """Does all jobs of a grid that have no result yet, and writes the report; returns how many failed or were blocked.

  Args:
    grid: its configuration.
    workdir: of the grid; is made if needed.
    output: where the page of the report and its figures are put as well.

  Raises:
    UserError: the grid or one of its runs cannot be, or another command is at work in `workdir`.
  """
  planned = jobs(grid, _base(grid.base))
  launcher = Launcher(grid.launcher, len(planned))
  folder = workdir.resolve() / 'jobs'
  with only_writer(workdir, begun='ablation.json'):
    rehearse(job for job in planned if not (folder / job.name / 'result.json').exists())
    write_text(workdir / 'ablation.json', grid.to_json(sort_keys=True, indent=2))
    queue = Queue(planned, folder, launcher)
    logging.info('%d jobs in %s, %d at a time', len(planned), folder, launcher.at_once)
    with Status(grid.metric, launcher.at_once) as show:
      work(queue, show, seconds=_POLL[launcher.local])
    results = read_results(planned, folder)
    if results:
      Console().print(write_report(workdir, grid, cells(grid), planned, results))
      Console().print(f'tables and figures: {workdir}')
      if output:
        _publish(workdir, output)
  for name, state in queue.states.items():
    if state == FAILED:
      print(complaint(queue, name), file=sys.stderr)
  return queue.count(FAILED, BLOCKED)


def _publish(workdir: pathlib.Path, output: pathlib.Path) -> None:
  for path in (workdir / 'ablation.md', *sorted((workdir / 'figures').glob('*.png'))):
    with replacing(output / path.relative_to(workdir)) as temporary:
      shutil.copyfile(path, temporary)


def _base(path: str) -> ConfigDict:
  """The experiment that a grid varies."""
  if not pathlib.Path(path).is_file():
    raise UserError(f'config.base is {path!r}, which is no file: give an experiment, such as configs/ear3d.py')
  with neighbours_of(path):
    return runpy.run_path(path)['get_config']()
