"""All faults, and one of them brought about once; apart from `__main__.py`, so that other processes can import it."""

import functools
import importlib
import os
import pathlib
import shutil
import traceback

from absl import flags
from registry import Fault, Outcome

MODULES = ('training_faults', 'input_faults', 'proofs', 'load_faults', 'editor_faults')  # each has FAULTS


@functools.cache
def gather() -> dict[str, Fault]:
  """Returns all faults by name, in the order of the table."""
  faults = [fault for name in MODULES for fault in importlib.import_module(name).FAULTS]
  assert len({fault.name for fault in faults}) == len(faults), 'two faults of one name'
  return {fault.name: fault for fault in faults}


def say_into(path: pathlib.Path) -> None:
  """Lets all that this process, its children and their libraries say go into a file, after what is there."""
  with path.open('a') as file:
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)


def attempt(name: str, seed: int, folder: pathlib.Path) -> Outcome:
  """Brings a fault about once; the folder stays where it did not survive."""
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()  # grain reads absl's flags
  shutil.rmtree(folder, ignore_errors=True)
  folder.mkdir(parents=True)
  try:
    outcome = gather()[name].function(seed, folder)
  except Exception:
    outcome = Outcome.failed(traceback.format_exc())
  if outcome.survived == outcome.tried:
    shutil.rmtree(folder, ignore_errors=True)
  return outcome
