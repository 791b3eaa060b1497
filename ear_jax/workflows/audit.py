"""Audits the references of a data set or of studies: delineated by networks that have not seen them, then ranked."""

import itertools
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.progress import track

from ear_jax.cine import MAGNITUDE, Cine
from ear_jax.data.data_set import DataSet, open_data_set
from ear_jax.formats import folder
from ear_jax.formats.choices import REFUSE, Choices
from ear_jax.formats.faults import MalformedStudy
from ear_jax.networks.inference import to_mask
from ear_jax.networks.segment import Network, segment
from ear_jax.report.audit import write_audit
from ear_jax.report.figures import Case
from ear_jax.scoring import audit as ranking
from ear_jax.scoring.contrast_shift import common_shift, contrast_shift
from ear_jax.scoring.reference_faults import Pair, Suspicion, suspect
from ear_jax.system.errors import UserError
from ear_jax.system.files import require_writable
from ear_jax.system.terminal import progress_console
from ear_jax.workflows import planted_faults

Visits = Callable[[], Iterator[list[Cine]]]  # reads the cines anew, visit by visit, each from base to apex


def audit(
  data: str,
  output: str | os.PathLike,
  networks: Sequence[Network],
  *,
  data_dir: str | None = None,
  trust: bool = False,
  pictures: int = 12,
  plant: int = 0,
  choices: Choices = REFUSE,
) -> dict:
  """Ranks the references of `data` by how wrong they look, writes the files into `output` and returns `audit.json`.

  Args:
    data: name of a built data set, or a folder of studies as `open_studies` takes it.
    output: folder to write.
    networks: each subject is delineated by the mean of those whose split held it out; a network without a split
      (exported, shipped) takes their place where there is none.
    data_dir: where the data set is; None: where it was in training.
    trust: audit subjects that every network was trained on, too.
    pictures: how many cines the page shows.
    plant: draws of `planted_faults.measure`; 0: none.
    choices: of `open_studies`.

  Raises: UserError when there is nothing to read or no reference in it, and when every network was trained on a subject
    and `trust` is not set.
  """
  visits, stored = _open(data, data_dir, networks[0], choices)
  if stored is not None:
    for subject in stored.subjects:
      _unseen_by(subject, networks, trust)  # before the work
    if plant:
      planted_faults.require_enough(len(stored.subjects))
  require_writable(output, 'the audit')
  suspicions: list[list[Suspicion]] = []
  kept: list[list[Pair]] = []
  masks: dict[str, np.ndarray] = {}
  subjects: set[str] = set()
  shifts: list[np.ndarray] = []
  for cines in track(visits(), 'auditing', console=progress_console()):
    chosen = _unseen_by(cines[0].subject, networks, trust)
    subjects.add(cines[0].subject)
    delineated = _delineate(cines, chosen, stored is not None and all(n.config.data.name == data for n in chosen))
    masks |= {cine.name: mask for cine, mask in zip(cines, delineated, strict=True)}
    pairs = [_pair(cine, mask) for cine, mask in zip(cines, delineated, strict=True)]
    suspicions.append(suspect(pairs))
    kept += [pairs] if plant else []
    shifts.append(np.array([_contrast_shift(cine) for cine in cines]))
  if not suspicions:
    raise UserError(f'{data}: no cine carries a reference: there is nothing to audit')
  table = ranking.rank(suspicions)
  notes = _notes(sorted(subjects), networks, data, stored) + ranking.remarks(suspicions) + _common(shifts)
  worst = ranking.first_of_cines(table).head(pictures)
  names = set(worst['dataset'] + '/' + worst['slice_id'])
  cases = {
    cine.name: Case(cine, masks[cine.name])
    for cines in track(visits(), 'reading again for pictures', console=progress_console())
    for cine in cines
    if cine.name in names
  }
  planted = planted_faults.measure(kept, draws=plant) if plant else None
  about = {'data': data if stored is not None else 'studies', 'networks': [network.name for network in networks]}
  return write_audit(output, table, cases, notes, about, planted)


def _open(data: str, data_dir: str | None, network: Network, choices: Choices) -> tuple[Visits, DataSet | None]:
  """Returns what reads the visits, and the data set if it is one; its name means it, ./NAME a folder beside it."""
  above = data_dir or network.config.data.get('dir', 'data')
  if any((pathlib.Path(above).expanduser() / data).glob('*/dataset_info.json')):
    stored = open_data_set(network.config, name=data, folder=above)
    return lambda: _of_data_set(stored), stored
  path = pathlib.Path(data).expanduser()
  if not path.exists():
    raise UserError(
      f'{data} is neither a data set built in {above} nor a folder of studies: give the name of one, with --data_dir '
      'where it is, or the folder'
    )
  return lambda: _of_studies(path, choices), None


def _of_data_set(data: DataSet) -> Iterator[list[Cine]]:
  def visit(record: int) -> str:
    return data.ids[record][1]

  for _, records in itertools.groupby(sorted(range(len(data.ids)), key=visit), visit):
    ordered = sorted(records, key=lambda record: _in_order(data.ids[record][2]))
    cines = [cine for cine in map(data.cine, ordered) if cine.annotated.any()]
    if cines:
      yield cines


def _of_studies(path: pathlib.Path, choices: Choices) -> Iterator[list[Cine]]:
  try:
    cines = (cine for cine, _ in folder.read(path, referenced=True, choices=choices))
    for _, visit in itertools.groupby(cines, key=lambda cine: cine.dataset):
      yield list(visit)
  except MalformedStudy as fault:
    raise UserError(str(fault)) from fault


def _in_order(slice_id: str) -> list[str]:
  """A key by which slice 2 comes before slice 10."""
  return [part.zfill(12) if part.isdigit() else part for part in re.split(r'(\d+)', slice_id)]


def _unseen_by(subject: str, networks: Sequence[Network], trust: bool) -> list[Network]:
  """Returns the networks to audit a subject with."""
  held_out = [n for n in networks if n.split is not None and subject not in n.split.train]
  nameless = [n for n in networks if n.split is None]
  if not held_out and not nameless and not trust:
    raise UserError(
      f'every network that is given was trained on subject {subject} and has learnt its references: give the runs of '
      'all folds with commas between them, or audit it anyway with --trust'
    )
  return held_out or nameless or list(networks)


def _delineate(cines: Sequence[Cine], networks: Sequence[Network], as_trained: bool) -> list[np.ndarray]:
  """Returns the mask `[T, H, W]` of each cine of a visit, by the mean of the networks.

  Cines of the data set that the networks were trained on are shown to them as in training; in others a heart is sought.
  """
  if not as_trained:
    return [segment(cine, networks).mask for cine in cines]
  each = [[probability for _, probability in network.predict(cines)] for network in networks]
  return [to_mask(np.mean(of_cine, axis=0)) for of_cine in zip(*each, strict=True)]


def _pair(cine: Cine, mask: np.ndarray) -> Pair:
  frames = np.flatnonzero(cine.annotated)
  ids = (cine.subject, cine.dataset, cine.slice_id, cine.level)
  return Pair(*ids, frames, cine.mask[frames] > 0, mask[frames] > 0)


def _contrast_shift(cine: Cine) -> np.ndarray:
  frame = int(cine.annotated.argmax())
  return contrast_shift(cine.video[frame, ..., MAGNITUDE], cine.mask[frame] > 0)


def _common(shifts: Sequence[np.ndarray]) -> list[str]:
  said = common_shift(shifts)
  if not said:
    return []
  return [
    f'the references as a whole lie {said} of where wall and blood differ most in brightness, in the median of the '
    'visits: were pixels counted from 1, or from a corner? A network learns such a shift, and no disagreement shows it'
  ]


def _notes(subjects: Sequence[str], networks: Sequence[Network], name: str, data: DataSet | None) -> list[str]:
  """Returns who audited whom, where that is not certain: a sentence each."""
  splits = [network.split for network in networks if network.split is not None]
  held_out = [s for s in subjects if any(s not in split.train for split in splits)]
  known = {subject for split in splits for subject in split.subjects('all')}
  seen = [s for s in subjects if s not in held_out]
  notes = []
  if held_out:
    notes.append(
      f'{len(held_out)} of {len(subjects)} subjects were audited by networks that were not trained on them, by the '
      'last checkpoint of each run, which no reference of theirs has chosen'
    )
  other = data and [n for n in networks if n.config.data.name == name and n.manifest['data_hash'] != data.hash]
  if other:
    notes.append(f'{len(other)} networks were trained on a {name} with another list of cines than this one')
  unnamed = [s for s in held_out if s not in known]
  if unnamed:
    notes.append(f'{len(unnamed)} of these are named by no run (first: {unnamed[0]}): they are taken for other people')
  if seen and len(splits) < len(networks):
    notes.append(
      f'{len(seen)} subjects were audited by a network that does not say on whom it was trained (exported or shipped): '
      'where these references taught it, it agrees with their faults too'
    )
  elif seen:
    notes.append(f'{len(seen)} subjects were audited by networks that were trained on them: their faults are learnt')
  return notes
