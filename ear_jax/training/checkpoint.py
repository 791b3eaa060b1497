"""Checkpoints of state and input iterator by Orbax: the latest to resume from, the best to evaluate."""

from __future__ import annotations

import pathlib
from typing import Any

import grain
import jax
import orbax.checkpoint as ocp
from jax.tree_util import keystr

from ear_jax.errors import UserError
from ear_jax.training.state import TrainState

_METRIC = 'validation_dice'


class Checkpoints:
  """The checkpoints of one run, under `folder`; use as a context manager, since saving is asynchronous.

  A checkpoint becomes visible by a rename once it is whole, so a killed run leaves none that is half-written.
  """

  def __init__(self, folder: pathlib.Path):
    managers = ocp.checkpoint_managers
    score = lambda metrics: metrics.get(_METRIC, -1.0)  # noqa: E731
    options = ocp.CheckpointManagerOptions(
      # best_step() asks best_fn, what is kept is the policy's affair: both are needed.
      best_fn=score,
      preservation_policy=managers.AnyPreservationPolicy(
        [managers.LatestN(1), managers.BestN(get_metric_fn=score, n=1)]
      ),
    )
    self._folder = folder.resolve()
    self._manager = ocp.CheckpointManager(self._folder, options=options)

  def __enter__(self) -> Checkpoints:
    return self

  def __exit__(self, *_) -> None:
    self._manager.wait_until_finished()
    self._manager.close()

  @property
  def latest(self) -> int | None:
    """The last saved step, or None."""
    return self._manager.latest_step()

  @property
  def steps(self) -> list[int]:
    """All saved steps, ascending."""
    return sorted(self._manager.all_steps())

  @property
  def best(self) -> int | None:
    """The saved step with the highest validation Dice (the latest, if nothing was validated), or None."""
    return self._manager.best_step()

  def save(self, state: TrainState, iterator: grain.DatasetIterator, validation_dice: float | None) -> None:
    """Saves step `state.step`, in the background; does nothing if it is saved already."""
    step = int(state.step)
    if step in self._manager.all_steps():
      return
    parts = ocp.args.Composite(state=ocp.args.StandardSave(state), data=grain.checkpoint.CheckpointSave(iterator))
    self._manager.save(step, args=parts, metrics={} if validation_dice is None else {_METRIC: validation_dice})

  def restore(self, step: int, abstract: Any, iterator: grain.DatasetIterator | None = None) -> TrainState:
    """Returns the state of a step and, if an iterator is given, moves it to where it was.

    Args:
      step: a saved step.
      abstract: shapes, dtypes and shardings of the state (`Placement.abstract`), so that a run saved on two devices
        resumes on one.

    Raises: UserError when the checkpoint does not fit the configuration.
    """
    if misfit := self._misfit(step, abstract):
      raise UserError(self._refusal(step, misfit))
    parts = {'state': ocp.args.StandardRestore(abstract)}
    if iterator is not None:
      parts['data'] = grain.checkpoint.CheckpointRestore(iterator)
    try:
      return self._manager.restore(step, args=ocp.args.Composite(**parts))['state']
    except ValueError as fault:
      raise UserError(self._refusal(step, str(fault).splitlines()[0])) from fault

  def _refusal(self, step, reason):
    return (
      f'checkpoint {step} in {self._folder} does not fit this configuration ({reason}): '
      'give another --workdir, or the configuration saved beside the checkpoint'
    )

  def _misfit(self, step: int, abstract: Any) -> str | None:
    """Returns in words the first difference between a saved state and `abstract`; None when they fit.

    Orbax would find it too, but while it reads, and its reads that are under way then end in tracebacks.
    """
    there, here = map(_shapes, (ocp.StandardCheckpointHandler().metadata(self._folder / str(step) / 'state'), abstract))
    for name in sorted(there | here):
      if name not in here or name not in there:
        return f'it has {"no " if name in here else ""}{name}'
      if there[name] != here[name]:
        return f'{name} is {there[name]} there and {here[name]} here'
    return None


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  """Shape of each array by its path; of a random key, which is saved as the numbers in it, none."""
  leaves = {keystr(path, simple=True, separator='/'): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
  return {name: () if name == 'rng' else tuple(leaf.shape) for name, leaf in leaves.items()}
