"""Scores a trained network on studies as a scanner or a person leaves them, against the contours that lie beside them.

Unlike a data set's, their cines are of any size, spacing and place: each is delineated as `predict` does it.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ear_jax.analysis.motion import Settings
from ear_jax.formats import folder
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.opened import Opened
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import segment
from ear_jax.report.evaluation import extremes, write_report
from ear_jax.report.figures import Case
from ear_jax.scoring.agreement_summary import concatenate
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.scoring.segmentation import score
from ear_jax.scoring.volume_agreement import agree, frame_areas
from ear_jax.system.errors import UserError
from ear_jax.system.terminal import tracked
from ear_jax.workflows.evaluate import described


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
  trained, studies = load_network(network, checkpoint), pathlib.Path(studies)
  scores, curves, areas, places, masks, settings = [], [], [], {}, {}, Settings()
  with _faults_in_words():
    opened = folder.open_folder(studies, choices=choices)
    every = (pair for study in opened for pair in study.read())
    shown = tracked(every, 'scoring', sum(map(len, opened)))
    for cine, source in folder.with_reference(studies, shown):
      found = segment(cine, [trained])
      masks[cine.name] = found.mask
      areas.append(frame_areas(cine, found.probability, source.drawn, source.cavities))
      places[cine.dataset, cine.slice_id] = cine.place
      scores.append(score(cine, masks[cine.name], surface=True))
      curves.append(compare_masks(cine, masks[cine.name], settings=settings))
  rows = pd.concat(scores, ignore_index=True)
  manifest = described(trained) | {'split': 'studies', 'step': trained.step, 'trained_on': 'unknown'}
  manifest |= {'subjects': sorted(set(rows['subject'])), 'velocity_settings': dataclasses.asdict(settings)}
  cases, stacks = _cases(opened, masks, rows), agree(pd.concat(areas, ignore_index=True), places)
  return write_report(output, rows, cases, manifest, curves=concatenate(curves), stacks=stacks)


@contextlib.contextmanager
def _faults_in_words() -> Iterator[None]:
  try:
    yield
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault


def _cases(opened: Sequence[Opened], masks: Mapping[str, np.ndarray], rows: pd.DataFrame) -> Iterator[Case]:
  """Yields pictures of the best, median and worst cine; these are read again for them."""
  studies = {study.dataset: study for study in opened}
  for name in {name for name, _ in extremes(rows).values()}:
    dataset, _, slice_id = name.partition('/')
    study = studies[dataset]
    yield Case(study[study.slices.index(slice_id)], masks[name])
