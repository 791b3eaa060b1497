"""Starting from a trained network: which weights a new one takes over, and which are made anew. Pure."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from ear_jax.training.resume_check import differing
from ear_jax.training.state import TrainState

FIRST = 'params/encoder1/conv1/kernel'  # [kt, 3, 3, C, F], the only weights that depend on the input's channels
HEAD = ('params/head/kernel', 'params/head/bias')  # and the heads below, the only ones that depend on the classes
_LOWER_HEAD = re.compile(r'params/head\d+/')  # of deep supervision: they serve training alone
_NAMED = 3  # of the weights that do not fit


def take_over(
  state: TrainState, variables: Mapping[str, Any], *, there: dict[str, Any], here: dict[str, Any]
) -> tuple[TrainState, list[str]]:
  """Returns a state of step 0 with the weights of a trained network, and sentences about what is not as it was.

  Weights whose names and shapes agree are copied, running batch statistics with them; the moving average starts from
  them, and optimiser, step and random key stay fresh. Two differences are bridged:

  - Channels. The magnitude keeps its weights. Velocities that the new network does not see are dropped, so that it
    begins as the trained one with all velocities zero, as in still tissue. Velocities that the trained one did not know
    get zeros, so that it begins as the trained one does on the magnitude; they learn from the first step on, since the
    gradient by a weight does not depend on its value.
  - Classes. The head is left as newly drawn.

  Heads of deep supervision are always those of the new network, as newly drawn.

  Args:
    state: fresh, of the new network.
    variables: of the trained one, `{'params': ..., 'batch_stats': ...}`.
    there, here: the `model` sections of both configurations as JSON has them, named where they differ.

  Raises: ValueError when any other weight differs in shape or is in one of them only; its text begins with a verb.
  """
  fresh = {'params': state.params, 'batch_stats': state.batch_stats}
  new, old = (flatten_dict(dict(part), sep='/') for part in (fresh, variables))
  notes = []
  taken = {name: x for name, x in old.items() if not _LOWER_HEAD.match(name)}
  taken |= {name: x for name, x in new.items() if _LOWER_HEAD.match(name)}
  if FIRST in new and FIRST in old and new[FIRST].shape != old[FIRST].shape:
    taken[FIRST] = _fit_channels(old[FIRST], new[FIRST].shape[-2])
    notes.append(f'input channels: {old[FIRST].shape[-2]} there and {new[FIRST].shape[-2]} here; magnitude kept')
  if any(name in old and name in new and new[name].shape != old[name].shape for name in HEAD):
    taken |= {name: new[name] for name in HEAD if name in new}
    notes.append(f'classes: {old[HEAD[1]].shape[0]} there and {new[HEAD[1]].shape[0]} here; the head starts anew')
  fields = differing(there, here)
  if misfits := _misfits(new, taken):
    raise ValueError(_refusal(misfits, fields))
  tree = {'batch_stats': {}} | unflatten_dict({name: jnp.array(x) for name, x in taken.items()}, sep='/')
  average = None if state.ema_params is None else jax.tree.map(jnp.copy, tree['params'])
  state = state.replace(params=tree['params'], batch_stats=tree['batch_stats'], ema_params=average)
  return state, notes + [f'model.{key} is {was!r} there and {now!r} here' for key, (was, now) in fields.items()]


def _refusal(misfits: list[str], fields: dict[str, tuple[Any, Any]]) -> str:
  """Returns what this run asks for, what that network has, and what to do."""
  weights = ', '.join(misfits[:_NAMED]) + f' and {len(misfits) - _NAMED} more' * (len(misfits) > _NAMED)
  asked = ', '.join(f'model.{key} {now!r}' for key, (_, now) in fields.items())
  has = ', '.join(f'{was!r}' for was, _ in fields.values())
  flags = ' '.join(f'--config.model.{key}={_as_flag(was)}' for key, (was, _) in fields.items())
  because = f'this run asks for {asked}, that network has {has}; ' * bool(fields)
  return (
    f'does not fit: {because}weights that differ: {weights}: {f"set {flags}" if flags else "take another network"}, or '
    'leave config.init_from out to train from scratch'
  )


def _as_flag(value: Any) -> str:
  return ','.join(map(str, value)) if isinstance(value, list) else str(value)


def _fit_channels(kernel: jax.Array, channels: int) -> jax.Array:
  """Returns the kernel `[kt, kh, kw, C, F]` for another C: the first channels, and zeros for those that are new."""
  kept = kernel[..., :channels, :]
  new = channels - kept.shape[-2]
  return jnp.pad(kept, ((0, 0), (0, 0), (0, 0), (0, new), (0, 0)))


def _misfits(new: dict[str, Any], old: dict[str, Any]) -> list[str]:
  """Returns names of weights in one network alone, or of another shape, in words."""
  sentences = []
  for name in sorted(new.keys() | old.keys()):
    if name not in new or name not in old:
      sentences.append(f'{name} (only in {"this run" if name in new else "that network"})')
    elif new[name].shape != old[name].shape:
      sentences.append(f'{name} ({new[name].shape} in this run, {old[name].shape} in that network)')
  return sentences
