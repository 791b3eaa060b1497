"""Scores a network, or a second reader, on studies as a scanner leaves them, against the contours that lie beside them.

Unlike a data set's, their cines are of any size, spacing and place: each is delineated as `predict` does it.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from absl import logging

from ear_jax.analysis.contours import to_mask
from ear_jax.analysis.motion import Settings
from ear_jax.cine import Cine
from ear_jax.formats import folder, references
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.matching import contours_of
from ear_jax.formats.opened import Opened
from ear_jax.formats.source import Source
from ear_jax.formats.strainmap_marks import fingerprint
from ear_jax.networks.inference import to_mask as to_binary
from ear_jax.networks.load import load_network
from ear_jax.networks.segment import segment
from ear_jax.report.evaluation import extremes, write_report
from ear_jax.report.figures import Case
from ear_jax.report.readers import write_readers
from ear_jax.scoring.agreement_summary import concatenate
from ear_jax.scoring.mask_agreement import compare_masks
from ear_jax.scoring.segmentation import score
from ear_jax.scoring.volume_agreement import agree, frame_areas
from ear_jax.system.errors import UserError
from ear_jax.system.terminal import tracked
from ear_jax.workflows.evaluate import described


def evaluate_studies(
  networks: Sequence[str | os.PathLike],
  output: str | os.PathLike,
  studies: str | os.PathLike,
  *,
  checkpoint: str = 'best',
  choices: Choices = REFUSE,
) -> dict:
  """Scores a network, or several as one, on a folder of studies and returns what `metrics.json` holds.

  Args:
    networks: each as `load_network` takes it; of several the mean probability is scored.
    output: folder to write.
    studies: a folder as `open_studies` takes it; slices without any contour are left out. Whether the network was
      trained on these people is not known.
    checkpoint: of a run; not used for an exported network.
    choices: of `open_studies`.

  Raises: UserError when a study or the network cannot be read, or nothing carries a reference.
  """
  trained = [load_network(network, checkpoint) for network in networks]
  about = [described(one) | {'step': one.step, 'trained_on': 'unknown'} for one in trained]
  manifest = about[0] | ({'together_with': about[1:]} if about[1:] else {})
  manifest['window'] = 'round the heart, which the network finds as in `predict`'
  return _scored(lambda cine, source: segment(cine, trained).probability, output, studies, choices, manifest)


def evaluate_reader(
  contours: str | os.PathLike, output: str | os.PathLike, studies: str | os.PathLike, *, choices: Choices = REFUSE
) -> dict:
  """Compares a second reader's contours with those that lie beside a folder of studies; as `evaluate_studies`.

  The results have a page more, `readers.html`.

  Args:
    contours: a file or folder that `predict` or the editor wrote for the second reader. They are found by the
      fingerprint of the pictures; slices that only one reader has are left out, and so are frames.
    output, studies, choices: as there.

  Raises: UserError when nothing of both can be compared.
  """
  in_files = references.find(pathlib.Path(contours)).drawn
  second = {one.mark.fingerprint: one for one in in_files if one.mark.fingerprint}
  if not second:
    raise UserError(f'{contours}: no contours by a person lie there that say which pictures they are of')

  def delineate(cine: Cine, source: Source) -> np.ndarray | None:
    drawn = second.get(fingerprint(cine))
    if drawn is None or drawn.count != len(cine.video):
      return None
    return to_mask(contours_of(drawn, source, len(cine.video)), cine.mask.shape[1:])

  manifest = {'compared': 'two readers: the first is the reference'}
  content = _scored(delineate, output, studies, choices, manifest, by_person=True)
  write_readers(pathlib.Path(output), content)
  return content


def _scored(
  delineate: Callable[[Cine, Source], np.ndarray | None],
  output: str | os.PathLike,
  studies: str | os.PathLike,
  choices: Choices,
  manifest: Mapping,
  *,
  by_person: bool = False,
) -> dict:
  studies = pathlib.Path(studies)
  scores, curves, areas, places, masks, settings = [], [], [], {}, {}, Settings()
  with _faults_in_words():
    opened = folder.open_folder(studies, choices=choices)
    every = (pair for study in opened for pair in study.read())
    shown = tracked(every, 'scoring', sum(map(len, opened)))
    for cine, source in folder.with_reference(studies, shown):
      delineation = delineate(cine, source)
      if delineation is not None and by_person:  # frames that were not drawn are no errors
        cine = _both(cine, delineation)
      if delineation is None or not cine.annotated.any():
        logging.warning('%s: left out, the second reader has no contours of it', cine.name)
        continue
      masks[cine.name] = to_binary(delineation)
      areas.append(frame_areas(cine, delineation, source.drawn, source.cavities))
      places[cine.dataset, cine.slice_id] = cine.place
      scores.append(score(cine, masks[cine.name], surface=True))
      curves.append(compare_masks(cine, masks[cine.name], settings=settings))
  if not scores:
    raise UserError(f'{studies}: no slice has contours of both')
  rows = pd.concat(scores, ignore_index=True)
  manifest = {**manifest, 'split': 'studies', 'subjects': sorted(set(rows['subject']))}
  manifest |= {'velocity_settings': dataclasses.asdict(settings)}
  cases, stacks = _cases(opened, masks, rows), agree(pd.concat(areas, ignore_index=True), places)
  return write_report(output, rows, cases, manifest, curves=concatenate(curves), stacks=stacks)


def _both(cine: Cine, mask: np.ndarray) -> Cine:
  """Returns the cine with the reference in frames alone that have a mask of either."""
  annotated = cine.annotated & mask.any((1, 2))
  return cine.replace(mask=np.where(annotated[:, None, None], cine.mask, 0).astype(np.uint8), annotated=annotated)


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
