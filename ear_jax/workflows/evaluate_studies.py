"""Scores a trained network on studies as a scanner or a person leaves them, against the contours that lie beside them.

Unlike a data set's, their cines are of any size, spacing and place: each is delineated as `predict` does it.
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from rich.progress import track

from ear_jax.analysis.motion import Settings
from ear_jax.cine import Cine
from ear_jax.formats import folder
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import segment
from ear_jax.report.evaluation import extremes, write_report
from ear_jax.report.figures import Case
from ear_jax.scoring.agreement_summary import concatenate
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.scoring.segmentation import score
from ear_jax.system.errors import UserError
from ear_jax.system.terminal import progress_console


def evaluate_studies(
  network: str | os.PathLike,
  output: str | os.PathLike,
  studies: str | os.PathLike,
  *,
  checkpoint: str = 'best',
  choices: Choices = REFUSE,
) -> dict:
  """Scores one network on a folder of studies and returns what `metrics.json` holds.

  Args:
    network: as `load_network` takes it.
    output: folder to write.
    studies: a folder as `open_studies` takes it; slices without any contour are left out. Whether the network was
      trained on these people is not known.
    checkpoint: of a run; not used for an exported network.
    choices: of `open_studies`.

  Raises: UserError when a study or the network cannot be read, or nothing carries a reference.
  """
  trained = load_network(network, checkpoint)
  scores, curves, masks, settings = [], [], {}, Settings()
  for cine in track(_read(studies, choices), 'scoring', console=progress_console()):
    masks[cine.name] = segment(cine, [trained]).mask
    scores.append(score(cine, masks[cine.name], surface=True))
    curves.append(compare_masks(cine, masks[cine.name], settings=settings))
  rows = pd.concat(scores, ignore_index=True)
  manifest = dict(trained.manifest) | {'split': 'studies', 'step': trained.step, 'trained_on': 'unknown'}
  manifest |= {'subjects': sorted(set(rows['subject'])), 'velocity_settings': dataclasses.asdict(settings)}
  return write_report(output, rows, _cases(studies, choices, masks, rows), manifest, curves=concatenate(curves))


def _read(studies: str | os.PathLike, choices: Choices) -> Iterator[Cine]:
  try:
    for cine, _ in folder.read(pathlib.Path(studies), referenced=True, choices=choices):
      yield cine
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault


def _cases(
  studies: str | os.PathLike, choices: Choices, masks: Mapping[str, np.ndarray], rows: pd.DataFrame
) -> Iterator[Case]:
  """Yields pictures of the best, median and worst cine; the studies are read again for them."""
  wanted = {name for name, _ in extremes(rows).values()}
  for cine in track(_read(studies, choices), 'reading again for pictures', console=progress_console()):
    if cine.name in wanted:
      yield Case(cine, masks[cine.name])
