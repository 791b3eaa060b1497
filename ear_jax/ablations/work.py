"""What submitit starts in the process of a job."""

import pathlib

import submitit


class Work(submitit.helpers.Checkpointable):
  """Does the job in a folder; where SLURM's time runs out it is queued again, and goes on from its checkpoint."""

  def __call__(self, folder: str) -> None:
    from ear_jax.ablations import job  # here: jax is for the job's process only

    job.run(pathlib.Path(folder))
