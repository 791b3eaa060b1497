"""How fast is the editor at five slices of 50 frames of 512 x 512? One command, on a quiet machine of two cores.

`PYTHONPATH=. python tests/editor/measure_speed.py` makes the study as DICOM (0.6 GB in a temporary folder, minutes),
opens it in a real browser, drags borders with a pointer, plays, and prints milliseconds: shown (from a move of the
pointer to the frame that is drawn after it), carried (contours of all frames), analysed (the whole of the server's
work on an edit, carrying within), answered (as the page waits for it), judged (the quality gate, after the answer and
once when several edits follow each other), page ready; frames a second; and the processor time of an edit without the
gate. `--matrix=160` is a rehearsal.
"""

import os

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')  # as ear_jax.edit does

import argparse
import dataclasses
import pathlib
import tempfile
import time
from unittest import mock

import measure_page
import numpy as np
import test_editing
from selenium.webdriver.common.keys import Keys

from ear_jax.editor import slice as slice_module
from ear_jax.workflows.make_phantom import make_phantom

EDITS, MOVES = 12, 20
SHOWN = """
  window.shown = [];
  document.getElementById('stage').addEventListener('pointermove', (event) => {
    if (!event.buttons) return;
    const since = event.timeStamp;
    requestAnimationFrame(() => requestAnimationFrame(() => window.shown.push(performance.now() - since)));
  }, true);
"""


class Timed:
  """Wraps a function and keeps how many ms each call took, by the clock and of all processors of this process."""

  def __init__(self, function):
    self.function, self.clock, self.processor = function, [], []

  def __call__(self, *given, **named):
    clock, processor = time.perf_counter(), time.process_time()
    try:
      return self.function(*given, **named)
    finally:
      self.clock.append(1000 * (time.perf_counter() - clock))
      self.processor.append(1000 * (time.process_time() - processor))


def said(name, values):
  low, high = np.percentile(values, [50, 95])
  print(f'{name:<22} {low:6.0f} ms   (19 of 20 within {high:.0f} ms, {len(values)} times)', flush=True)


def edit(editor, number):
  """Pulls one border of one frame outward by three pixels at one of twelve places, in twenty moves."""
  editor.go(2, (4 * number) % 50)
  frame, side = editor.frame(), ('endo', 'epi')[number % 2]
  curve = getattr(editor.contours(2), side)[frame]
  begin = curve[30 * number % 360]
  away = (begin - curve.mean(0)) / np.hypot(*(begin - curve.mean(0)))
  shift = 3 if side == 'epi' else -3
  editor.drag(editor.on_stage([begin + away * shift * k / MOVES for k in range(MOVES + 1)]))


def measure(folder, matrix):
  size = dataclasses.replace(measure_page.FIVE, name='phantom_speed', matrix=matrix, spacing=0.85 * 512 / matrix)
  make_phantom(folder / 'scan', size=size, contours=True)
  study, walls, _ = measure_page.planted(folder / 'scan', folder / 'results')
  driver = test_editing.browser.start()
  driver.set_script_timeout(300)
  carried = Timed(slice_module.follow)
  analysed, judged = Timed(slice_module.Slice.edit), Timed(slice_module.Slice.judged)
  with (
    mock.patch.object(slice_module, 'follow', carried),
    mock.patch.object(slice_module.Slice, 'edit', lambda *given, **named: analysed(*given, **named)),
    mock.patch.object(slice_module.Slice, 'judged', lambda *given, **named: judged(*given, **named)),
    test_editing.serving_page(study) as address,
  ):
    begun = time.perf_counter()
    editor = test_editing.Editor(driver, address, study, walls, patience=900)
    print(f'study read, analysed and shown after {time.perf_counter() - begun:.1f} s')
    ready = []
    for _ in range(3):
      begun = time.perf_counter()
      editor.open()
      ready.append(1000 * (time.perf_counter() - begun))
    editor.js(SHOWN)
    carried.clock.clear()
    judged.clock.clear()
    answered = []
    for number in range(EDITS):
      edit(editor, number)
      answered.append(float(editor.js('return document.body.dataset.answered')))
    shown = editor.js('return window.shown')
    editor.press(Keys.SPACE)
    time.sleep(6)
    rate = editor.js('return document.body.dataset.rate')
    editor.press(Keys.SPACE)
  driver.quit()
  said('page ready', ready)
  said('shown', shown)
  said('carried', carried.clock)
  said('analysed', analysed.clock)
  said('answered', answered)
  said('judged, when idle', [one for one in judged.clock if one > 1])  # the others were known
  said('processor, an edit', analysed.processor)
  print(f'frames a second        {rate}')


if __name__ == '__main__':
  parser = argparse.ArgumentParser()
  parser.add_argument('--matrix', type=int, default=512)
  given = parser.parse_args()
  with tempfile.TemporaryDirectory() as place:
    measure(pathlib.Path(place), given.matrix)
