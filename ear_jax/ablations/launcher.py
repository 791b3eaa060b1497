"""Starting jobs through submitit: as processes on this machine, or on a SLURM cluster."""

import math
import pathlib
import subprocess
import time
from typing import Any

from ml_collections import ConfigDict

from ear_jax.benchmarking.machine import cores
from ear_jax.system.errors import UserError

try:
  import submitit
except ImportError:  # it comes with an extra
  submitit = None  # type: ignore[assignment]  # asked for by __init__

_YEAR = 525_600  # minutes; a process on this machine has all the time it wants
_MANY = 1000  # times that SLURM's limit may come; submitit's 3 would end a long training, `Work` knows when to end it
_LOOK = 5.0  # seconds between looks into SLURM's queue
_GONE = 60.0  # seconds out of it after which a job has ended: its files may come late over a network


class Launcher:
  """Starts jobs by the `launcher` section of a grid's configuration.

  Attributes:
    local: whether jobs are processes of this machine.
    at_once: how many may run at a time.

  Raises:
    UserError: submitit or SLURM is missing, the executor is unknown, or there are fewer GPUs than jobs at once.
  """

  def __init__(self, config: ConfigDict, jobs: int):
    if submitit is None:
      raise UserError('a grid starts its jobs by submitit, which is not installed: pip install "ear_jax[slurm]"')
    if config.executor not in ('local', 'slurm'):
      raise UserError(f"config.launcher.executor is {config.executor!r}: choose 'local' or 'slurm'")
    if config.at_once < 0 or config.cpu_devices < 1:
      raise UserError('config.launcher.at_once must be 0 or more, and config.launcher.cpu_devices 1 or more')
    self.local = config.executor == 'local'
    if not self.local and submitit.SlurmExecutor.affinity() < 0:
      raise UserError(
        "config.launcher.executor is 'slurm', but srun is not here: start the command where jobs are sent"
      )
    fitting = (len(config.gpus) or max(1, len(cores()) // config.cpu_devices)) if self.local else jobs
    self.at_once = config.at_once or fitting
    if self.local and config.gpus and self.at_once > len(config.gpus):
      raise UserError(f'config.launcher.at_once is {self.at_once}, but config.launcher.gpus names {len(config.gpus)}')
    self._slurm = dict(config.slurm)
    self._gpus = dict.fromkeys(config.gpus) if self.local else {}  # number to the job that has it
    self._queue: set[str] | None = None  # numbers of jobs; None: not known
    self._looked = -math.inf
    self._gone: dict[str, float] = {}  # number of a job to when it was first missed

  def submit(self, folder: pathlib.Path) -> 'submitit.Job':
    """Starts the job in `folder`, its log in `folder/log`."""
    from ear_jax.ablations.work import Work  # inherits from submitit's

    executor: submitit.Executor
    if self.local:
      executor, parameters = submitit.LocalExecutor(folder / 'log'), dict[str, Any](timeout_min=_YEAR)
    else:
      executor = submitit.AutoExecutor(folder / 'log', cluster='slurm', slurm_max_num_timeout=_MANY)
      parameters = self._slurm | {'name': 'ear_jax'}
    if self._gpus:
      gpu = next(number for number, job in self._gpus.items() if job is None)
      self._gpus[gpu] = folder.name
      parameters |= {'gpus_per_node': 1, 'visible_gpus': (gpu,)}
    executor.update_parameters(stderr_to_stdout=True, **parameters)
    self._looked = -math.inf  # what was seen before does not have this job
    return executor.submit(Work(), str(folder))

  def ended(self, job: 'submitit.Job') -> bool:
    """Returns whether a job has ended, however; one that SLURM queued again has not, whatever its last start left.

    submitit does not know that, and misses a killed job where SLURM keeps no accounts.
    """
    if self.local:
      return job.done()
    if time.monotonic() - self._looked > _LOOK:
      asked = subprocess.run(['squeue', '--me', '--noheader', '--format=%i'], capture_output=True, text=True)
      self._queue = set(asked.stdout.split()) if asked.returncode == 0 else None
      self._looked = time.monotonic()
    if self._queue is not None and job.job_id not in self._queue:
      return job.done() or time.monotonic() - self._gone.setdefault(job.job_id, time.monotonic()) > _GONE
    self._gone.pop(job.job_id, None)
    return self._queue is None and job.done()

  def release(self, name: str) -> None:
    """Takes back the GPU of a job that has ended."""
    self._gpus = {number: None if job == name else job for number, job in self._gpus.items()}
