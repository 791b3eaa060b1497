"""A small phantom study, analysed, and its page; and a browser to open it with, where there is one."""

import dataclasses
import pathlib

import browser
import numpy as np
import pytest

from ear_jax.analysis.checks_of_study import Check
from ear_jax.analysis.slices import analyse
from ear_jax.analysis.uncertainty import READER, with_intervals
from ear_jax.phantom import study
from ear_jax.report import page

SMALL = study.Size('phantom_page', 1, 0, (1,), 12, 96, 1.6, 1.7, offset=4.0, margin=4, sharing=0.0)
CHECKS = (
  Check('series complete', '', 'pass', 'all 15 series are there'),
  Check('contours', 'sax2', 'warn', 'frame 5 has no contour'),
)
SETTINGS = {'orientation': 'CCW', 'circumferential sign': '+1: counter-clockwise'}
VERSIONS = {'ear_jax': '1.2.3', 'checkpoint': 'fold 0, step 4000'}


@dataclasses.dataclass(frozen=True)
class Analysed:
  """A phantom slice with what was found from a mask beside the truth and from the true one."""

  cine: object
  motion: object
  reference: object
  uncertainty: np.ndarray


@pytest.fixture(scope='session')
def analysed() -> list[Analysed]:
  """Three slices; the 'prediction' lies a column beside the truth, and the second has none in frame 5."""
  found = []
  for index, plan in enumerate(study.plan(SMALL)):
    cine, septum = study.render(plan), study.truth(plan).septal_angle
    mask = np.roll(cine.mask, 1, axis=2)
    if index == 1:
      mask[4:7] = 0  # one frame alone would be filled from its neighbours
    motion = with_intervals(cine, analyse(cine, mask, septum=septum), READER, draws=20)
    parts = (motion, analyse(cine, cine.mask, septum=septum))
    found.append(Analysed(cine, *parts, np.linspace(0.01, 0.4, len(mask))))
  return found


@pytest.fixture(scope='session')
def page_slices(analysed) -> list[page.PageSlice]:
  """The same slices for the page; the third has no reference and no uncertainty."""
  full = [page.page_slice(a.cine, a.motion, a.reference, a.uncertainty) for a in analysed[:2]]
  return [*full, page.page_slice(analysed[2].cine, analysed[2].motion)]


@pytest.fixture(scope='session')
def write(tmp_path_factory, page_slices):
  """Returns `write(**changes)`, which writes the study's page with some arguments changed and returns its path."""
  folder = tmp_path_factory.mktemp('pages')

  def write_one(**changes) -> pathlib.Path:
    path = folder / f'{len(list(folder.iterdir()))}.html'
    arguments = {
      'pseudonym': 'phantom-01-a',
      'slices': page_slices,
      'checks': CHECKS,
      'settings': SETTINGS,
      'versions': VERSIONS,
      'withheld': False,
    }
    page.write_page(path, **arguments | changes)
    return path

  return write_one


@pytest.fixture(scope='session')
def report(write) -> pathlib.Path:
  """The page of the study."""
  return write()


@pytest.fixture(scope='session')
def driver():
  started = browser.start()
  yield started
  started.quit()


@pytest.fixture
def opened(driver, report):
  page = browser.Page(driver, report)
  yield page
  assert driver.get_log('browser') == []  # errors, and warnings of the content security policy
