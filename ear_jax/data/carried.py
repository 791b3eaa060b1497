"""Training records whose frames without annotation have contours that were carried to them, and a weight each.

A person draws one frame of a slice, or a few; `analysis.carrying` brings their contours to all others by the motion of
the tissue. Only a training set is treated so: what is scored is what a person drew.
"""

import dataclasses
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from absl import logging
from ml_collections import ConfigDict

from ear_jax.analysis.carrying import carry
from ear_jax.data.data_set import DataSet
from ear_jax.data.pipeline import learnt_from
from ear_jax.data.records import decode_cine

_HALF = 1.0  # mm, the uncertainty of a contour by which its frame counts half; a wall is about ten thick


class _Learnt(NamedTuple):
  """What a training step sees of a record.

  Attributes:
    mask: `[T, H, W]` uint8 as bits, packed; empty in frames of weight 0.
    weight: `[T]` float32: 1 where annotated, less where carried, 0 where there are no contours.
    fault: why nothing could be carried; '' where it was, or where all frames are annotated.
  """

  mask: np.ndarray
  weight: np.ndarray
  fault: str


def with_carried(data: DataSet, subjects: Sequence[str], config: ConfigDict) -> DataSet:
  """Returns a data set in which the records of some subjects are annotated in every frame, if `config.data.carry`.

  Their examples have a carried `mask`, and as `annotated` a float32 weight `[T]` by the uncertainty in it. Of the
  frames that are annotated, only those that `learnt_from` leaves are carried, and the masks of the others are not seen.
  It takes about half a second a slice of 50 frames, once, when training starts.

  Cines that nothing can be carried in stay as they were annotated; one line says how many, and why the first.
  """
  if not config.data.carry:
    return data
  records = data.records_of(subjects)
  logging.info('carrying the contours of %d cines to their other frames', len(records))
  learnt_of: dict[int, _Learnt] = {}
  with ThreadPoolExecutor(max(1, config.data.threads)) as pool:
    for record, learnt in zip(records, pool.map(functools.partial(_learnt, data, config), records), strict=True):
      learnt_of[record] = learnt
      logging.log_every_n_seconds(logging.INFO, 'contours of %d of %d cines carried', 10, len(learnt_of), len(records))
  faults = [learnt.fault for learnt in learnt_of.values() if learnt.fault]
  if faults:
    said = 'no contours could be carried in %d of %d cines, which are learnt from as they are annotated; the first: %s'
    logging.warning(said, len(faults), len(records), faults[0])
  weights = [learnt_of[record].weight if record in learnt_of else flags for record, flags in enumerate(data.annotated)]
  return dataclasses.replace(data, source=_Source(data.source, learnt_of), annotated=tuple(weights))


class _Source(Sequence):
  """Examples of a data set, those that are learnt from with what was carried."""

  def __init__(self, source: Sequence, learnt: dict[int, _Learnt]):
    self._source, self._learnt = source, learnt

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, record: Any) -> Any:
    example = self._source[record]
    if record not in self._learnt:
      return example
    learnt, stored = self._learnt[record], example['mask']
    mask = np.unpackbits(learnt.mask, count=stored.size).reshape(stored.shape)
    return {**example, 'mask': mask, 'annotated': learnt.weight}


def _learnt(data: DataSet, config: ConfigDict, record: int) -> _Learnt:
  example = data.example(record)
  annotated = learnt_from(example['annotated'], config)
  mask, weight, fault = example['mask'] * annotated[:, None, None], annotated.astype(np.float32), ''
  if annotated.any() and not annotated.all():
    cine = decode_cine({**example, 'mask': mask, 'annotated': annotated})
    if config.data.spacing and not np.isfinite(cine.spacing).all():
      cine = cine.replace(spacing=(config.data.spacing,) * 2)
    try:
      if not np.isfinite(cine.spacing).all() or (cine.venc and not np.isfinite(cine.frame_interval)):
        raise ValueError(f'{cine.name}: pixel spacing or frame interval is not known')
      carried = carry(cine, mask)
      mask = np.where(annotated[:, None, None], mask, carried.mask)
      weight = np.where(annotated, 1.0, 1 / (1 + (carried.uncertainty / _HALF) ** 2)).astype(np.float32)
    except ValueError as problem:
      fault = str(problem)
  return _Learnt(np.packbits(mask), weight, fault)
