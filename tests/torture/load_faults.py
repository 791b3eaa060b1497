"""Load: `predict` over a folder of 200 studies, one of them bad; memory, open descriptors and processes over time.

python tests/torture/load_faults.py --studies=200 --picture=docs/images/load.png
python tests/torture/load_faults.py --train=RUN_CONFIG --minutes=60 --picture=docs/images/load_training.png
"""

import dataclasses
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
import sound_studies
from registry import Fault, Outcome

from ear_jax.cine import Study
from ear_jax.formats import hdf5

ROOT = pathlib.Path(__file__).resolve().parents[2]
STUDIES = 200
_GROWTH = 100e6  # bytes of resident memory from the second fifth of the run to its last that are still flat


@dataclasses.dataclass(frozen=True)
class Watched:
  """What a command did: exit status, what it said, and `[N]` seconds, resident bytes, descriptors, processes."""

  status: int
  stderr: str
  seconds: np.ndarray
  memory: np.ndarray
  descriptors: np.ndarray
  processes: np.ndarray

  def growth(self, values: np.ndarray) -> float:
    """Returns the last fifth's median less that of the second fifth: the first one warms up."""
    fifth = max(1, len(values) // 5)
    return float(np.median(values[-fifth:]) - np.median(values[fifth : 2 * fifth]))


def watch(command: list[str], minutes: float = 0) -> Watched:
  """Runs a command to its end, or for some minutes, after which it is told to stop; looks at it each half second."""
  rows, start = [], time.monotonic()
  with tempfile.TemporaryFile('w+') as said:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said)
    while process.poll() is None:
      try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        memory = sum(one.memory_info().rss for one in family)
        rows.append((time.monotonic() - start, memory, family[0].num_fds(), len(family)))
      except psutil.Error:  # it ended while we looked
        pass
      if minutes and time.monotonic() - start > 60 * minutes:
        process.terminate()
      time.sleep(0.5)
    said.seek(0)
    return Watched(process.returncode, said.read(), *np.array(rows).T)


def write_studies(folder: pathlib.Path, count: int) -> None:
  """Writes `count` studies as HDF5, one in the middle cut short."""
  one = sound_studies.cine()
  folder.mkdir(parents=True)
  for number in range(count):
    name = f'study-{number:03d}'
    hdf5.write(Study(name, name, (one.replace(subject=name, dataset=name),)), folder / f'{name}.h5')
  bad = folder / f'study-{count // 2:03d}.h5'
  bad.write_bytes(bad.read_bytes()[:2000])


def predict_many(folder: pathlib.Path, count: int) -> tuple[Watched, list[str]]:
  """Predicts `count` studies and returns what was watched, and what was wrong."""
  write_studies(folder / 'studies', count)
  sound_studies.write_contours(folder / 'contours.nc')
  args = [folder / 'studies', '--contours', folder / 'contours.nc', '--output', folder / 'out']
  found = watch([sys.executable, '-m', 'ear_jax.predict', *map(str, args)])
  done = len(list((folder / 'out').glob('*/report.html')))
  wrong = []
  if found.status != 1:
    wrong.append(f'exit status {found.status}: expected 1, for the bad study')
  if done != count - 1:
    wrong.append(f'{done} studies done of {count - 1}')
  if f'study-{count // 2:03d}.h5' not in found.stderr or 'Traceback' in found.stderr:
    wrong.append('the bad study is not named in a sentence')
  if found.growth(found.memory) > _GROWTH:
    wrong.append(f'memory grew by {found.growth(found.memory) / 1e6:.0f} MB')
  if found.growth(found.descriptors) > 2 or found.growth(found.processes) > 0:
    wrong.append('descriptors or processes were left behind')
  return found, wrong


def draw(found: Watched, title: str, path: pathlib.Path) -> None:
  """Writes a picture of memory, descriptors and processes over time."""
  import matplotlib

  matplotlib.use('agg')
  from matplotlib import pyplot as plt

  figure, axes = plt.subplots(3, 1, figsize=(7, 5), sharex=True, layout='constrained')
  values = {'memory (MB)': found.memory / 1e6, 'descriptors': found.descriptors, 'processes': found.processes}
  for axis, (name, value) in zip(axes, values.items(), strict=True):
    axis.plot(found.seconds / 60, value, color='#20639b', linewidth=1)
    axis.set(ylabel=name, ylim=(0, 1.15 * value.max()))
  axes[0].set_title(title)
  axes[-1].set_xlabel('minutes')
  figure.savefig(path, dpi=110)


def _predict(seed: int, folder: pathlib.Path) -> Outcome:
  _, wrong = predict_many(folder, STUDIES)
  return Outcome.failed('; '.join(wrong)) if wrong else Outcome(STUDIES, STUDIES, 'the bad study, named')


FAULTS = (Fault('one bad study among 200', _predict, group='load'),)


def main() -> int:
  """Reads the flags, runs, draws, and says what was seen."""
  import argparse

  flags = argparse.ArgumentParser(description=__doc__)
  flags.add_argument('--studies', type=int, default=STUDIES)
  flags.add_argument('--train', help='a configuration: train it instead, into a folder that is removed')
  flags.add_argument('--minutes', type=float, default=60, help='of training')
  flags.add_argument('--picture', type=pathlib.Path)
  given = flags.parse_args()
  folder = pathlib.Path(tempfile.mkdtemp())
  try:
    if given.train:
      args = ['-m', 'ear_jax.train', '--config', given.train, '--workdir', str(folder / 'run')]
      found, wrong = watch([sys.executable, *args, '--config.steps=1000000'], given.minutes), []
      title = f'training {pathlib.Path(given.train).stem}'
    else:
      found, wrong = predict_many(folder, given.studies)
      title = f'predicting {given.studies} studies, one of them bad'
  finally:
    shutil.rmtree(folder)
  if given.picture:
    draw(found, title, given.picture)
  print(f'exit status {found.status}; {found.seconds[-1] / 60:.1f} minutes; {"; ".join(wrong) or "nothing wrong"}')
  for name in ('memory', 'descriptors', 'processes'):
    values = getattr(found, name)
    print(f'{name}: {np.median(values):.0f} median, {values.max():.0f} most, grew by {found.growth(values):.0f}')
  return 1 if wrong else 0


if __name__ == '__main__':
  sys.exit(main())
