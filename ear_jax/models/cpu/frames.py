"""Loops over groups of frames, so that what a convolution copies is a group's and not the whole video's.

A loop also is the one border that XLA's CPU compiler neither fuses across nor merges common expressions over: what is
computed again inside one is not kept from the first time.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from ear_jax.models.video import Pending, pad_time

FORWARD_BYTES = 2**22  # of the float32 copies of one group, in the forward pass
BACKWARD_BYTES = 2**21  # and in the backward pass, where a step's memory has its peak, and larger groups are no faster

Group = jax.Array | int  # number of a group of frames
State = TypeVar('State')
Windows = TypeVar('Windows')


def count_groups(frames: int, frame_bytes: int, reach: int, group_bytes: int) -> int:
  """Returns into how many groups of equal length to divide T frames: 1 where all fit `group_bytes`.

  Their length is even where that of T is: `two_frames` takes two at once.

  Args:
    frames: T; a symbol (of an exported network) is one group.
    frame_bytes: of the copies of one frame of all videos.
    reach: frames that a convolution sees on either side; no group is shorter.
    group_bytes: of the copies of a group.
  """
  if not isinstance(frames, int):
    return 1
  lengths = [n for n in range(max(reach, 1), frames + 1) if frames % n == 0]
  lengths = [n for n in lengths if n % 2 == 0] or lengths
  fitting = [n for n in lengths if n * frame_bytes <= group_bytes]
  return frames // (max(fitting) if fitting else min(lengths, default=frames))


def group_of(video: jax.Array, group: Group, groups: int) -> jax.Array:
  """Returns one of the groups of a video `[B, T, H, W, C]`: `[B, T / groups, H, W, C]`."""
  if groups == 1:
    return video
  length = video.shape[1] // groups
  return jax.lax.dynamic_slice_in_dim(video, group * length, length, axis=1, allow_negative_indices=False)


def part_of(x: Pending, group: Group, groups: int) -> Pending:
  """Returns one of the groups of a video that is still to be computed."""
  return dataclasses.replace(x, videos=tuple(group_of(video, group, groups) for video in x.videos))


def zeros_beside(x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
  """Returns zeros of the dtype of `x`, to be filled by a loop.

  They depend on `x` as far as the compiler can tell. Plain zeros it would make once for all loops of that shape, keep
  until the last, and copy for each.
  """
  return jnp.broadcast_to(jnp.minimum(jnp.abs(x[(0,) * x.ndim]), 0), shape)


def no_gradient(x: Pending, beside: jax.Array) -> Pending:
  """Returns gradients of zero by what a video is computed from, for `add_gradient` in a loop; see `zeros_beside`."""
  return jax.tree.map(lambda leaf: zeros_beside(beside, leaf.shape).astype(leaf.dtype), x)


def add_gradient(x: Pending, pending: Pending, gradient: jax.Array, group: Group, groups: int) -> Pending:
  """Returns `pending` with one group's part of the gradients, from that by the group's value `[B, n, H, W, C]`."""
  of = jax.vjp(jnp.asarray, part_of(x, group, groups))[1](gradient)[0]
  videos = tuple(_put_group(video, part, group) for video, part in zip(pending.videos, of.videos, strict=True))
  return dataclasses.replace(pending, videos=videos, constants=jax.tree.map(jnp.add, pending.constants, of.constants))


def _put_group(video: jax.Array, part: jax.Array, group: Group) -> jax.Array:
  start = group * part.shape[1]
  return jax.lax.dynamic_update_slice_in_dim(video, part, start, axis=1, allow_negative_indices=False)


def over_windows(
  step: Callable[[State, Group, Windows], State],
  state: State,
  frames: Callable[[Group], Windows],
  groups: int,
  reach: int,
  time_padding: str,
) -> State:
  """Returns the state after `step(state, group, window)` for all groups in turn.

  Args:
    step: `window` `[B, n + 2 reach, H, W, C]` holds the group and `reach` frames on either side of it.
    frames: gives a group's frames `[B, n, H, W, C]`, or a tuple of several such; asked about once for each group, and
      once more for the first and the last.
    groups: how many; one is done without a loop.   time_padding: what there is before the first frame.
  """
  first = frames(0)
  if groups == 1:
    return step(state, 0, jax.tree.map(lambda x: pad_time(x, reach, reach, time_padding), first))
  cyclic = time_padding == 'cyclic'
  before = frames(groups - 1) if cyclic else jax.tree.map(jnp.zeros_like, first)

  def advance(group: jax.Array, carry: tuple[State, Windows, Windows]) -> tuple[State, Windows, Windows]:
    state, tails, current = carry
    following = frames(jnp.where(group + 1 < groups, group + 1, 0))
    heads = jax.tree.map(lambda x: x[:, :reach], following)
    if not cyclic:
      heads = jax.tree.map(lambda x: jnp.where(group + 1 < groups, x, 0), heads)
    windows = jax.tree.map(lambda *parts: jnp.concatenate(parts, axis=1), tails, current, heads)
    return step(state, group, windows), jax.tree.map(last, current), following

  def last(x: jax.Array) -> jax.Array:
    return x[:, x.shape[1] - reach :]

  return jax.lax.fori_loop(0, groups, advance, (state, jax.tree.map(last, before), first))[0]


def add_frames(video: jax.Array, part: jax.Array, start: Group) -> jax.Array:
  """Returns the video `[B, T, H, W, C]` with `part` `[B, n, H, W, C]` added to its frames from `start` on."""
  if part.shape[1] == video.shape[1]:
    return video + part
  there = jax.lax.dynamic_slice_in_dim(video, start, part.shape[1], axis=1, allow_negative_indices=False)
  return jax.lax.dynamic_update_slice_in_dim(video, there + part, start, axis=1, allow_negative_indices=False)
