"""Load: `predict` over 200 studies, one of them bad, and an hour of training; memory, descriptors, processes over time.

python tests/torture/load_faults.py --studies=20 --picture=predicting.png
python tests/torture/load_faults.py --minutes=6 --picture=training.png
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
from surroundings import ROOT, plain_environment

from ear_jax.cine import Study
from ear_jax.formats import hdf5

STUDIES, MINUTES = 200, 60
_SLICES = 16  # of phantom_paper's 121, about 85 MB each
# A small network, so that an hour holds many steps, validations and checkpoints; records are read anew each time.
_TRAINING = {
  'data.name': 'mvm_cmr/phantom_paper',
  'data.crop': 96,
  'data.cache_gb': 0.0,
  'model.filters': '4,8,16',
  'split.test_fraction': 0.0,
  'split.folds': 2,
  'eval.every': 8,
  'cpu_devices': 1,
  'steps': 1_000_000,
}
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
  rows, start, told = [], time.monotonic(), False
  with tempfile.TemporaryFile('w+') as said:
    process = subprocess.Popen(command, cwd=ROOT, env=plain_environment(), stdout=subprocess.DEVNULL, stderr=said)
    while process.poll() is None:
      try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        memory = sum(one.memory_info().rss for one in family)
        rows.append((time.monotonic() - start, memory, family[0].num_fds(), len(family)))
      except psutil.Error:  # it ended while we looked
        pass
      if not told and minutes and time.monotonic() - start > 60 * minutes:
        process.terminate()  # once: a second signal may come when nobody listens any more
        told = True
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


def train_long(folder: pathlib.Path, minutes: float) -> tuple[Watched, list[str]]:
  """Trains on slices of the paper's size for some minutes, is told to stop, and returns what was watched, and wrong."""
  data, builders, scripts = folder / 'data', ROOT / 'data_builders', pathlib.Path(sys.executable).parent
  build = (scripts / 'tfds', 'build', builders / 'mvm_cmr', '--config=phantom_paper', f'--data_dir={data}')
  subprocess.run([*map(str, build), f'--max_examples_per_split={_SLICES}'], cwd=ROOT, check=True, capture_output=True)
  args = ['-m', 'ear_jax.train', '--config', 'configs/ear3d.py', '--workdir', str(folder / 'run')]
  args += [f'--config.data.dir={data}', *(f'--config.{key}={value}' for key, value in _TRAINING.items())]
  found = watch([sys.executable, *args], minutes)
  wrong = []
  if found.status != 0 or 'stopped at step' not in found.stderr or 'Traceback' in found.stderr:
    wrong.append(f'exit status {found.status}: {found.stderr[-500:]}')
  if found.growth(found.memory) > _GROWTH:
    wrong.append(f'memory grew by {found.growth(found.memory) / 1e6:.0f} MB')
  if found.growth(found.descriptors) > 2 or found.growth(found.processes) > 0:
    wrong.append('descriptors or processes were left behind')
  return found, wrong


def _picture(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Where a row of `make torture` draws: beside its results.json."""
  return folder.parents[2] / f'{name}.png'


def _predict(seed: int, folder: pathlib.Path) -> Outcome:
  found, wrong = predict_many(folder, STUDIES)
  draw(found, f'predicting {STUDIES} studies, one of them bad', _picture(folder, 'load_predicting'))
  return Outcome.failed('; '.join(wrong)) if wrong else Outcome(STUDIES, STUDIES, 'the bad study, named')


def _train(seed: int, folder: pathlib.Path) -> Outcome:
  found, wrong = train_long(folder, MINUTES)
  draw(found, f'training on {_SLICES} slices of 50 x 512 x 512', _picture(folder, 'load_training'))
  return Outcome.failed('; '.join(wrong)) if wrong else Outcome()


FAULTS = (
  Fault('one bad study among 200', _predict, group='load'),
  Fault("an hour of training on cines of the paper's size", _train, group='load'),
)


def main() -> int:
  """Reads the flags, runs, draws, and says what was seen."""
  import argparse

  flags = argparse.ArgumentParser(description=__doc__)
  flags.add_argument('--studies', type=int, default=STUDIES)
  flags.add_argument('--minutes', type=float, default=0, help='train for so many instead')
  flags.add_argument('--picture', type=pathlib.Path)
  given = flags.parse_args()
  folder = pathlib.Path(tempfile.mkdtemp())
  try:
    if given.minutes:
      (found, wrong), title = train_long(folder, given.minutes), f'training on {_SLICES} slices of 50 x 512 x 512'
    else:
      (found, wrong), title = (
        predict_many(folder, given.studies),
        f'predicting {given.studies} studies, one of them bad',
      )
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
