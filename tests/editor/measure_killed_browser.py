"""Does a browser that is killed take a finished gesture with it? Twenty times, at a random moment.

`PYTHONPATH=. python tests/editor/measure_killed_browser.py [TIMES]` pins frames with keys, as fast as the page takes
them, while another thread ends the browser with SIGKILL. What the page had shown as taken (its `busy` was false again)
must be in the log, whole, and the next browser opens the study as the log leaves it.
"""

import os
import pathlib
import random
import signal
import sys
import tempfile
import threading

import test_editing
from selenium.common.exceptions import WebDriverException
from urllib3.exceptions import HTTPError

from ear_jax.editor import journal
from ear_jax.editor.begin import begin

LATEST = 6.0  # s after the first key


def gestures(study):
  return sum(len(journal.read(one.log)) for one in study.slices)


def killed(driver):
  """Ends the browser as the system would, not by asking it."""
  for child in pathlib.Path(f'/proc/{driver.service.process.pid}/task').glob('*/children'):
    for pid in map(int, child.read_text().split()):
      os.kill(pid, signal.SIGKILL)


def once(address, study, rng):
  """Gestures that the page had shown as taken, and those that are in the log."""
  driver = test_editing.browser.start()
  driver.set_script_timeout(60)
  editor = test_editing.Editor(driver, address, study, None, patience=60)
  before, shown = gestures(study), 0
  timer = threading.Timer(rng.uniform(0.5, LATEST), killed, [driver])
  timer.start()
  try:
    while True:
      editor.press('p')  # waits until the answer is drawn
      shown += 1
      editor.press(test_editing.Keys.ARROW_RIGHT)
  except (WebDriverException, HTTPError, OSError):
    timer.join()
  driver.service.stop()
  return shown, gestures(study) - before


def main(times):
  rng, lost = random.Random(0), 0
  with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    test_editing.make_phantom(folder / 'scan', size=test_editing.SMALL, contours=True)
    (study,), _ = begin(folder / 'scan', folder / 'results')
    with test_editing.serving_page(study) as address:
      for time in range(times):
        shown, kept = once(address, study, rng)
        lost += max(shown - kept, 0)
        print(f'{time + 1}: {shown} shown as taken, {kept} in the log', flush=True)
  print(f'{lost} finished gestures lost in {times} kills')


if __name__ == '__main__':
  main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
