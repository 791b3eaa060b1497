"""Checkpoints of state and input iterator by Orbax: the latest two to resume from, the best to evaluate."""

import contextlib
import pathlib
from typing import Any, Self

import grain
import jax
import orbax.checkpoint as ocp
from absl import logging
from jax.tree_util import keystr

from ear_jax.devices.together import is_first, wait_for_all
from ear_jax.system.errors import UserError
from ear_jax.training.checksums import find_damage, saved_steps, set_damaged_aside, write_checksums
from ear_jax.training.failures import is_lack_of_memory
from ear_jax.training.patient_loops import patient_loops
from ear_jax.training.state import TrainState

_METRIC = 'validation_dice'


class Checkpoints:
  """The checkpoints of one run, under `folder`; use as a context manager.

  A checkpoint becomes visible by a rename once it is whole, so a killed run leaves none that is half-written. Of the
  latest there are two, so that one is left when a file of the other goes bad; checksums beside them say so.

  With several processes each calls the same methods at the same step, with its part of the state. The iterator's state
  is the same in all and saved once, so that another number of processes can go on from it.

  Args:
    folder: where they are, for all processes the same.
    read_only: write nothing there, not even to clean up: the run may be going on, or lie on a read-only disk.

  Raises: UserError when there are checkpoints and none is sound.
  """

  def __init__(self, folder: pathlib.Path, *, read_only: bool = False):
    self._folder, self._read_only = folder.resolve(), read_only
    if not read_only and is_first():
      for sentence in set_damaged_aside(self._folder):
        logging.warning('%s', sentence)
    wait_for_all('checkpoints')
    try:
      self._manager = ocp.CheckpointManager(self._folder, options=_options(read_only), item_handlers=_handlers())
    except ValueError as fault:  # it reads the Dice of each
      damaged = (
        self._damaged(s, damage) for s in saved_steps(self._folder) if (damage := find_damage(self._folder, s))
      )
      raise UserError(next(damaged, f'{self._folder} cannot be read: {fault}')) from fault

  def __enter__(self) -> Self:
    return self

  def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
    # Where saving failed, closing fails for the same reason: the first says it best.
    with contextlib.suppress(Exception) if kind else contextlib.nullcontext():
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
    """Saves step `state.step`; does nothing if it is saved already.

    Raises: UserError when it cannot be written; what was saved before is as it was.
    """
    step = int(jax.device_get(state.step))
    if step in self._manager.all_steps():
      return
    parts = ocp.args.Composite(state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(iterator.get_state()))
    metrics = {} if validation_dice is None else {_METRIC: validation_dice}
    try:
      with patient_loops(), jax.transfer_guard('allow'):  # Orbax fetches what it writes in its own way
        self._manager.save(step, args=parts, metrics=metrics)
      if is_first():
        write_checksums(self._folder, step)
    except (OSError, ValueError, RuntimeError) as fault:  # tensorstore's are no OSError
      if is_lack_of_memory(fault):
        raise
      raise UserError(self._unwritten(step, fault)) from fault

  def restore(self, step: int, abstract: Any, iterator: grain.DatasetIterator | None = None) -> TrainState:
    """Returns the state of a step and, if an iterator is given, moves it to where it was.

    Args:
      step: a saved step.
      abstract: shapes, dtypes and shardings of the state (`Placement.abstract`), so that a run saved on two
        devices resumes on one.

    Raises: UserError when the checkpoint does not fit the configuration.
    """
    if self._read_only and (damage := find_damage(self._folder, step)):
      raise UserError(self._damaged(step, damage))
    if misfit := self._misfit(step, abstract):
      raise UserError(self._refusal(step, misfit))
    parts = {'state': ocp.args.StandardRestore(abstract)}
    if iterator is not None:
      parts['data'] = ocp.args.JsonRestore()
    try:
      restored = self._manager.restore(step, args=ocp.args.Composite(**parts))
      if iterator is not None:
        iterator.set_state(restored['data'])
      return restored['state']
    except ValueError as fault:
      raise UserError(self._refusal(step, str(fault).splitlines()[0])) from fault

  def _unwritten(self, step: int, fault: Exception) -> str:
    before = [saved for saved in saved_steps(self._folder) if saved != step]
    there = f'checkpoint {before[-1]} is sound: the same command goes on from it' if before else 'there is none before'
    return (
      f'checkpoint {step} cannot be written to {self._folder} ({_reason(fault)}); {there} once the folder can be '
      'written and has room'
    )

  def _damaged(self, step: int, damage: str) -> str:
    others = [saved for saved in saved_steps(self._folder) if not find_damage(self._folder, saved)]
    return f'checkpoint {step} in {self._folder} is damaged ({damage}): ' + (
      f'choose another ({", ".join(map(str, others))})' if others else 'train again, or bring it back from a copy'
    )

  def _refusal(self, step: int, reason: str) -> str:
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


def _handlers() -> dict[str, ocp.CheckpointHandler]:
  # The iterator's state lies where grain's own handler puts it, but is written once for all processes.
  return {'state': ocp.StandardCheckpointHandler(), 'data': ocp.JsonCheckpointHandler('process_0-of-1.json')}


def _options(read_only: bool) -> ocp.CheckpointManagerOptions:
  managers = ocp.checkpoint_managers
  score = lambda metrics: metrics.get(_METRIC, -1.0)  # noqa: E731
  # best_step() asks best_fn, what is kept is the policy's affair: both are needed.
  if read_only:  # without Orbax's switch of this name, which warns: a manager that never saves writes nothing
    return ocp.CheckpointManagerOptions(best_fn=score, create=False)
  return ocp.CheckpointManagerOptions(
    best_fn=score,
    preservation_policy=managers.AnyPreservationPolicy([managers.LatestN(2), managers.BestN(get_metric_fn=score, n=1)]),
    cleanup_tmp_directories=True,  # of killed runs
    # A fault while writing is known before the next step, and so is what to sum; it costs a second a validation.
    enable_async_checkpointing=False,
  )


def _reason(fault: Exception) -> str:
  """Returns what the system said; tensorstore says much more around it."""
  text = str(fault.strerror if isinstance(fault, OSError) and fault.strerror else fault)
  return ' '.join(text.split())[:200]


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  """Returns the shape of each array by its path; of a random key, which is saved as the numbers in it, none."""
  leaves = {keystr(path, simple=True, separator='/'): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
  return {name: () if name == 'rng' else tuple(leaf.shape) for name, leaf in leaves.items()}
