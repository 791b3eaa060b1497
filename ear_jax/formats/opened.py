"""A study whose files were found and checked; it is read one slice at a time."""

import dataclasses
import hashlib
import pathlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ear_jax.cine import Cine, Study
from ear_jax.formats.faults import Fault, require_none
from ear_jax.formats.source import Source
from ear_jax.system.errors import some

NAME = re.compile(r'[\w-][\w.-]{0,63}', re.ASCII)  # of a study: it becomes part of file names
HASHED = 'the name holds other characters than letters, digits, "-", "_" and ".": the study is called by a hash of it'


def pseudonym(name: str) -> str:
  """Returns a name that is fit for a study as it is, else `study-` and eight hexadecimal digits of its SHA-256."""
  return name if NAME.fullmatch(name) else f'study-{hashlib.sha256(name.encode()).hexdigest()[:8]}'


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
  """One study, a sequence of cines; each is read from its files when it is asked for.

  Attributes:
    dataset: pseudonym of the visit.
    slices: ids of the slices, from base to apex where the format tells.
    notes: what the reader had to decide or skipped, in words without identifiers.
    faults: broken rules; a study with any cannot be read.
    root: the folder that faults name files relative to.
    cines: reads the slices of a range one after another; `read` checks the faults before.
    origin: where below `root` it lies, for the terminal alone: it may be a patient's name. '.' for the whole folder.
    person: hash of the PatientID, to see whether two studies are of one person, and for nothing else; '' when unknown.
  """

  dataset: str
  slices: tuple[str, ...]
  notes: tuple[str, ...]
  faults: tuple[Fault, ...]
  root: pathlib.Path
  cines: Callable[[slice], Iterator[tuple[Cine, Source]]]
  origin: str = '.'
  person: str = ''

  def read(self, which: slice = slice(None)) -> Iterator[tuple[Cine, Source]]:
    """Returns the slices and their origins, one in memory at a time. Raises MalformedStudy if there are faults."""
    require_none(self.root, self.faults)
    return self.cines(which)

  def __repr__(self) -> str:
    return f'Opened({self.dataset}: {len(self)} slices, {len(self.notes)} notes, {len(self.faults)} faults)'

  def __len__(self) -> int:
    return len(self.slices)

  def __iter__(self) -> Iterator[Cine]:
    return (cine for cine, _ in self.read())

  def __getitem__(self, index: int) -> Cine:
    first = range(len(self))[index]  # raises IndexError, which ends a loop
    ((cine, _),) = self.read(slice(first, first + 1))
    return cine


def gathered(notes: Mapping[str, Sequence[str]]) -> list[str]:
  """Returns the notes of slices, each once: with the slices that it is of, unless it is of all."""
  slices: dict[str, list[str]] = defaultdict(list)
  for name, own in notes.items():
    for note in own:
      slices[note].append(name)
  return [note if len(names) == len(notes) else f'{some(names)}: {note}' for note, names in slices.items()]


def differing(what: str, values: Iterable[str]) -> list[str]:
  """Returns a note where slices of one study differ in something, which they rarely should."""
  stated = sorted(set(values))
  return [f'{what} differs between slices: {", ".join(one or "not stated" for one in stated)}'] * (len(stated) > 1)


def of_study(study: Study) -> Opened:
  """Returns a study that is in memory in the form of one that was opened."""
  slices, pairs = tuple(cine.slice_id for cine in study), [(cine, Source()) for cine in study]
  return Opened(study.dataset, slices, (), (), pathlib.Path(), lambda which: iter(pairs[which]))
