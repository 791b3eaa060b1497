"""What submitit starts in the process of a job."""

import pathlib
from typing import Any

import submitit

_IDLE = 3  # starts in a row that saved nothing, after which another would be in vain


class Work(submitit.helpers.Checkpointable):
  """Does the job in a folder; where SLURM's time runs out it is queued again, and goes on from its checkpoint."""

  def __init__(self) -> None:
    self._begun, self._idle = 0, 0

  def __call__(self, folder: str) -> None:
    from ear_jax.ablations import job  # here: jax is for the job's process only

    self._begun = _saved(folder)
    job.run(pathlib.Path(folder))

  def checkpoint(self, folder: str) -> Any:
    """Returns what to start again; None, which ends the job, where start after start has saved nothing."""
    self._idle = 0 if _saved(folder) > self._begun else self._idle + 1
    return super().checkpoint(folder) if self._idle < _IDLE else None


def _saved(folder: str) -> int:
  """Returns the step of the last checkpoint of a job; 0 without one."""
  from ear_jax.training.checksums import saved_steps

  return max(saved_steps(pathlib.Path(folder) / 'run/checkpoints'), default=0)
