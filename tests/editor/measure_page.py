"""A wrong delineation of 250 frames put right in a real browser, saved, and read again by the commands.

`PYTHONPATH=. python tests/editor/measure_page.py FOLDER` makes a study of five slices of 50 frames as DICOM, plants a
base that lies 5 pixels off in ten frames and an apex that six frames lack, corrects both with a pointer and keys, and
prints gestures and Dice; then what `predict --contours`, StrainMap's layout and `tfds build` make of the result.
"""

import pathlib
import subprocess
import sys
import time

import numpy as np
import tensorflow_datasets as tfds
import test_editing
import xarray as xr
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from ear_jax.analysis.contours import to_mask
from ear_jax.data import upright
from ear_jax.editor import base as base_files
from ear_jax.editor.begin import begin
from ear_jax.editor.follow import Base
from ear_jax.formats import references, strainmap_marks
from ear_jax.formats.open import open_studies
from ear_jax.phantom.study import Size
from ear_jax.workflows.make_phantom import make_phantom

FIVE = Size('phantom_five', 1, 0, (0, 0, 1), 50, 160, 1.2, 1.7, offset=8.0, margin=8)
OFF, SHIFT = range(10, 20), np.array([-3.0, 4.0])  # frames of the base, and by how many pixels: 5 in all
MISSING, DRAWN = range(20, 26), 22  # frames that the apex lacks, and the one that is drawn
BASE, APEX = 0, 4


def planted(scan, output):
  """The study as the editor opens it first, and its true walls and contours, `[T, H, W]` and Contours by slice."""
  (opened,) = open_studies(scan)
  truths = [base_files.on_360(source.drawn) for _, source in opened.read()]
  (scan / 'contours.nc').unlink()
  (study,), _ = begin(scan, output)
  study.edits.mkdir(parents=True)
  walls = []
  for number, (cine, _) in enumerate(study.opened.read()):
    truth = truths[number]
    walls.append(to_mask(truth, cine.mask.shape[1:]))
    endo, epi, failed = truth.endo.copy(), truth.epi.copy(), truth.failed.copy()
    if number == BASE:
      endo[OFF], epi[OFF] = endo[OFF] + SHIFT, epi[OFF] + SHIFT
    if number == APEX:
      endo[MISSING], epi[MISSING], failed[MISSING] = np.nan, np.nan, True
    base = Base(network=type(truth)(endo, epi, truth.flags, failed), made='planted')
    base_files.write(study.edits / f'slice-{number:02d}.npz', base, strainmap_marks.fingerprint(cine))
  return study, walls, truths


def choose(editor, number, frames):
  """Chooses a run of frames with the keys."""
  editor.go(number, frames[0])
  keys = ActionChains(editor.driver).key_down(Keys.SHIFT)
  for _ in frames[1:]:
    keys.send_keys(Keys.ARROW_RIGHT)
  keys.key_up(Keys.SHIFT).perform()
  editor.settle()


def keep(editor, number, *runs):
  """Agrees to runs of frames that are right, so that they stay as they are."""
  for frames in runs:
    choose(editor, number, frames)
    editor.press('p')


def shift(editor, truths, number, frame):
  """Drags the ring of the frame that is seen to where it belongs."""
  centre, aim = (one.endo[frame].mean(0) for one in (editor.contours(number), truths[number]))
  editor.drag(editor.on_stage([centre, (centre + aim) / 2, aim]), held=Keys.SHIFT)


def correct(editor, truths, walls):
  """Returns the number of gestures."""
  keep(editor, BASE, range(OFF.stop, 50), range(OFF.start))
  keep(editor, APEX, range(MISSING.stop, 50), range(MISSING.start))
  editor.go(APEX, DRAWN)
  for side in (truths[APEX].endo, truths[APEX].epi):
    editor.drag(editor.on_stage(np.concatenate([side[DRAWN, ::10], side[DRAWN, :1]])))
  gestures = 6
  while gestures < 12 and (found := dice(editor, walls)).min() < 0.95:
    number, frame = np.unravel_index(found.argmin(), found.shape)
    editor.go(number, frame)
    shift(editor, truths, number, frame)
    gestures += 1
  return gestures


def dice(editor, walls):
  found = []
  for number, wall in enumerate(walls):
    own = to_mask(editor.contours(number), wall.shape[1:]).astype(bool)
    both = (own & wall.astype(bool)).sum((1, 2))
    found.append(2 * both / (own.sum((1, 2)) + wall.sum((1, 2))))
  return np.stack(found)


def said(name, values):
  worst = ', '.join(f'{one:.3f}' for one in values.min(1))
  below = (values < 0.95).sum()
  print(f'{name}: mean {values.mean():.4f}, worst of each slice {worst}; below 0.95: {below}', flush=True)


def furthest(found, own):
  """Pixels between points of two sets of contours at most."""
  return max(float(np.abs(getattr(found, side) - getattr(own, side)).max()) for side in ('endo', 'epi'))


def main(folder):
  scan, output, again = folder / 'cohort' / 'scan', folder / 'cohort' / 'results', folder / 'again'
  make_phantom(scan, size=FIVE, contours=True)
  study, walls, truths = planted(scan, output)
  driver = test_editing.browser.start()
  driver.set_script_timeout(120)
  with test_editing.serving_page(study) as address:
    editor = test_editing.Editor(driver, address, study, walls, patience=300)
    said('before', dice(editor, walls))
    begun = time.monotonic()
    gestures = correct(editor, truths, walls)
    print(f'{gestures} gestures, {time.monotonic() - begun:.0f} s of a machine that did other things too')
    said('after', dice(editor, walls))
    own = [editor.contours(number) for number in range(5)]
    ids = [one.slice_id for one in study.slices]
    editor.click('#done')  # slices that nobody touched are agreed to
    editor.chord(Keys.CONTROL, 's')
    editor.wait(lambda: (study.folder / 'edits.json').exists())
    editor.settle()
  driver.quit()

  file = study.folder / f'{study.name}.nc'
  command = [sys.executable, '-m', 'ear_jax.predict', str(scan), f'--contours={file}', f'--output={again}']
  print('predict --contours: exit status', subprocess.run(command, check=False).returncode)
  read = {one.name: one for one in references.find(next(again.rglob('*.nc'))).drawn}
  print('slices read', sorted(read), 'of', ids)
  (opened,), _ = references.attach(open_studies(scan), references.find(next(again.rglob('*.nc'))).drawn)
  print('predict: furthest', max(furthest(s.drawn, own[k]) for k, (_, s) in enumerate(opened.read())), 'px')

  segments = xr.load_dataarray(file, group='segments')  # cine side frame coord point, (col, row), closed
  for k, one in enumerate(own):
    sides = segments.values[k, :, :, ::-1, :-1].swapaxes(-1, -2)
    print('StrainMap', ids[k], dict(segments.sizes), 'furthest', np.abs(sides - np.stack([one.endo, one.epi])).max())

  tfds_build = [str(pathlib.Path(sys.executable).with_name('tfds')), 'build', 'data_builders/mvm_cmr']
  tfds_build += ['--config=folder', f'--manual_dir={folder / "cohort"}', f'--data_dir={folder / "data"}']
  print('tfds build: exit status', subprocess.run(tfds_build, check=False).returncode)
  (place,) = {path.parent for path in (folder / 'data').rglob('dataset_info.json')}
  stored = {one['slice_id'].decode(): one for one in tfds.builder_from_directory(place).as_data_source(split='train')}
  for k, (cine, _) in enumerate(opened.read()):
    masked = cine.replace(mask=to_mask(own[k], cine.mask.shape[1:]))
    wanted = upright.upright(masked, upright.FROM_BASE).mask.astype(bool)
    mask = stored[ids[k]]['mask'].astype(bool)
    print('training data', ids[k], 'pixels that differ', int((mask ^ wanted).sum()), 'of', int(wanted.sum()))


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
