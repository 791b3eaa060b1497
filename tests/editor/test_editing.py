"""The page of the editor in a real browser, moved by a real pointer and keys: what a person does, seen at the server.

No function of the page is called; what the page says about itself is read from its elements.
"""

import contextlib
import pathlib
import re
import sys
import threading
import time

import numpy as np
import pytest
import uvicorn
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ear_jax.analysis.contours import from_mask, polygon_area, to_mask
from ear_jax.editor import app
from ear_jax.editor import base as base_files
from ear_jax.editor.begin import begin
from ear_jax.editor.edits import History
from ear_jax.editor.follow import Base, Box, window
from ear_jax.formats import strainmap_marks
from ear_jax.phantom.study import Size
from ear_jax.workflows.make_phantom import make_phantom

sys.path.append(str(pathlib.Path(__file__).parents[1] / 'report'))
import browser  # of tests/report

pytestmark = browser.needed

SMALL = Size('phantom_editor', 1, 0, (1,), 12, 96, 1.6, 1.7, offset=4.0, margin=4, sharing=0.0)
OFF, SHIFT = (4, 5), np.array([-2.0, 4.0])  # frames of the base that lie off, and by how much
MISSING = 7  # frame of the apex without contours
TOKEN = 'token-of-a-test'


class Editor:
  """The page that is open in the browser, and the study behind it."""

  def __init__(self, driver, address, study, truth, patience=20):
    self.driver, self.address, self.study, self.truth, self.patience = driver, address, study, truth, patience
    self.open()

  def open(self):
    self.driver.get(self.address)
    self.wait(lambda: self.js('return document.body.dataset.ready') == 'true')
    self.settle()

  def js(self, code, *arguments):
    return self.driver.execute_script(code, *arguments)

  def find(self, selector):
    return self.driver.find_element(By.CSS_SELECTOR, selector)

  def wait(self, condition):
    browser.wait(condition, self.patience)

  def settle(self):
    """Waits until the server has answered and the answer is drawn."""
    code = """
      const done = arguments[0];
      requestAnimationFrame(() => requestAnimationFrame(() => done(document.body.dataset.busy)))"""
    self.wait(lambda: self.driver.execute_async_script(code) == 'false')

  def press(self, *keys):
    ActionChains(self.driver).send_keys(*keys).perform()
    self.settle()

  def chord(self, *keys):
    held, last = keys[:-1], keys[-1]
    chain = ActionChains(self.driver)
    for key in held:
      chain.key_down(key)
    chain.send_keys(last)
    for key in held:
      chain.key_up(key)
    chain.perform()
    self.settle()

  def click(self, selector):
    ActionChains(self.driver, duration=20).move_to_element(self.find(selector)).click().perform()
    self.settle()

  def drag(self, places, held=None):
    """Drags the pointer over places `[N, 2]` (x, y) of the window."""
    if held:
      ActionChains(self.driver).key_down(held).perform()
    mouse = ActionChains(self.driver, duration=15)
    pointer = mouse.w3c_actions.pointer_action
    pointer.move_to_location(*map(round, places[0])).pointer_down()
    for place in places[1:]:
      pointer.move_to_location(*map(round, place))
    pointer.pointer_up()
    mouse.perform()
    if held:
      ActionChains(self.driver).key_up(held).perform()
    self.settle()

  def on_stage(self, points):
    """Returns places of the window (x, y) of points (row, column) of the picture."""
    x, y, sx, sy = map(float, self.find('#stage').get_attribute('data-map').split())
    box = self.box('#stage')
    return [(box[0] + x + column * sx, box[1] + y + row * sy) for row, column in np.atleast_2d(points)]

  def box(self, selector):
    code = 'const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.width, b.height]'
    return self.js(code, self.find(selector))

  def go(self, index, frame):
    self.click(f'.thumbnail:nth-child({index + 1})')
    self.press(Keys.HOME, *[Keys.ARROW_RIGHT] * frame)
    assert self.frame() == frame

  def frame(self):
    return int(self.find('#stage').get_attribute('data-frame'))

  def contours(self, index):
    return self.study.slices[index].view().followed.contours

  def dice(self, index, frame):
    """Returns the Dice of the server's contours with the true wall."""
    wall = self.truth[index]
    found = to_mask(self.contours(index), wall.shape[1:])[frame]
    return 2 * (found & wall[frame]).sum() / (found.sum() + wall[frame].sum())


def planted(cine, index):
  """The true contours, but for two frames of the base that lie off and a frame of the apex that has none."""
  contours = from_mask(cine.mask)
  endo, epi, failed = contours.endo.copy(), contours.epi.copy(), contours.failed.copy()
  if index == 0:
    endo[list(OFF)] += SHIFT
    epi[list(OFF)] += SHIFT
  if index == 2:
    endo[MISSING], epi[MISSING], failed[MISSING] = np.nan, np.nan, True
  return type(contours)(endo, epi, contours.flags, failed)


@pytest.fixture(scope='module')
def driver():
  started = browser.start()
  started.set_script_timeout(20)
  yield started
  started.quit()


@pytest.fixture(scope='module')
def served(tmp_path_factory):
  """The address of a server, the study behind it, and its true walls: read once, begun anew for each test."""
  folder = tmp_path_factory.mktemp('editor')
  make_phantom(folder / 'scan', size=SMALL, contours=True)
  (study,), _ = begin(folder / 'scan', folder / 'results')  # the contours lie beside the study
  study.edits.mkdir(parents=True)
  truth = []
  for number, (cine, source) in enumerate(study.opened.read()):
    wall = to_mask(base_files.on_360(source.drawn), cine.mask.shape[1:])
    truth.append(wall)
    base = Base(network=planted(cine.replace(mask=wall), number), made='planted')
    base_files.write(study.edits / f'slice-{number:02d}.npz', base, strainmap_marks.fingerprint(cine))
  with serving_page(study) as address:
    yield address, study, truth


@contextlib.contextmanager
def serving_page(study):
  """Yields the address of the page of a study."""
  server = uvicorn.Server(
    uvicorn.Config(app.make_app([study], 'reader', TOKEN), port=0, log_level='error', lifespan='off')
  )
  thread = threading.Thread(target=server.run, daemon=True)
  thread.start()
  while not server.started:
    time.sleep(0.01)
  port = server.servers[0].sockets[0].getsockname()[1]
  yield f'http://127.0.0.1:{port}/?token={TOKEN}'
  server.should_exit = True
  thread.join(10)
  study.close()


@pytest.fixture
def editor(driver, served):
  driver.get_log('browser')
  yield Editor(driver, *served)
  told = [entry for entry in driver.get_log('browser') if entry['level'] != 'INFO']  # as of a focus that is taken
  assert [entry for entry in told if not re.search('409|422', entry['message'])] == []
  driver.get('about:blank')
  for one in served[1].slices:
    one.history = History()


def test_a_wrong_contour_is_dragged_right_and_keys_take_it_back(editor):
  frame = OFF[0]
  assert editor.dice(0, frame) < 0.8
  editor.go(0, frame)
  centre = editor.contours(0).endo[frame].mean(0)
  editor.drag(editor.on_stage([centre, centre - SHIFT / 2, centre - SHIFT]), held=Keys.SHIFT)
  assert editor.dice(0, frame) >= 0.95
  assert '•' in editor.find('[data-act=save]').text  # the results do not hold it yet
  assert editor.find('#timeline').get_attribute('aria-valuetext').endswith('by hand · key frame')
  editor.chord(Keys.CONTROL, 'z')
  assert editor.dice(0, frame) < 0.8
  editor.chord(Keys.CONTROL, Keys.SHIFT, 'z')
  assert editor.dice(0, frame) >= 0.95
  editor.press('p')
  assert editor.study.slices[0].state()['frames'][frame]['state'] == 'pinned'
  editor.press('f')
  assert editor.dice(0, frame) < 0.9


def test_a_run_of_frames_is_moved_in_one_gesture(editor):
  editor.go(0, OFF[0])
  editor.chord(Keys.SHIFT, Keys.ARROW_RIGHT)
  centre = editor.contours(0).endo[OFF[1]].mean(0)
  editor.drag(editor.on_stage([centre, centre - SHIFT]), held=Keys.SHIFT)
  assert min(editor.dice(0, frame) for frame in OFF) >= 0.95
  assert editor.study.slices[0].state()['undo'] == 1


def test_pull_push_and_redraw_change_one_border_where_the_pointer_was(editor):
  editor.go(1, 2)
  before = editor.contours(1)
  centre, out = before.endo[2].mean(0), before.epi[2, 0] - before.endo[2].mean(0)
  unit = out / np.hypot(*out)
  editor.drag(editor.on_stage([centre + out, centre + out + unit, centre + out + 2 * unit]))
  after, angle = editor.contours(1), np.arctan2(*out)

  def moved(side, turn):
    return _radius(getattr(after, side)[2], centre, angle + turn) - _radius(
      getattr(before, side)[2], centre, angle + turn
    )

  assert moved('epi', 0) == pytest.approx(2, abs=0.3)
  assert [moved('epi', turn) for turn in (2, 3, 4)] == pytest.approx(
    [0, 0, 0], abs=0.3
  )  # handles smooth a mask's stairs
  assert [moved('endo', turn) for turn in (0, 2, 4)] == pytest.approx([0, 0, 0], abs=0.3)
  editor.press('2')
  editor.drag(editor.on_stage([centre + out + 9 * unit, centre + out + 7 * unit, centre + out + 5 * unit]))
  assert np.hypot(*(editor.contours(1).epi[2, 0] - centre)) < np.hypot(*out) + 1.5
  editor.press('3')
  angles = np.linspace(-0.5, 0.5, 9) + angle
  arc = centre + (np.hypot(*out) + 3) * np.stack([np.sin(angles), np.cos(angles)], -1)
  editor.drag(editor.on_stage(arc))
  assert np.hypot(*(editor.contours(1).epi[2, 0] - centre)) == pytest.approx(np.hypot(*out) + 3, abs=0.5)


def test_a_frame_without_contour_is_drawn_from_scratch(editor):
  with np.errstate(all='ignore'):
    assert editor.contours(2).failed[MISSING]
  editor.go(2, MISSING)
  ring = planted_ring(editor, 2, MISSING)
  for side in (ring.endo[0], ring.epi[0]):
    editor.drag(editor.on_stage(np.concatenate([side[::15], side[:1]])))
  assert editor.dice(2, MISSING) >= 0.95


def planted_ring(editor, index, frame):
  return from_mask(editor.truth[index][frame : frame + 1])


def near_septum(editor, index, frame):
  """The two handles of the outer border that lie nearest to 60 degrees before and after mid septum."""
  handles = np.array(editor.study.slices[index].state()['frames'][frame]['epi'])
  centre = editor.study.slices[index].view().followed.contours.endo.mean((0, 1))
  septum = np.array(editor.study.slices[index].state()['septum']['point'])
  angles = np.arctan2(*(handles - centre).T) - np.arctan2(*(septum - centre))
  return [handles[np.cos(angles - side * np.pi / 3).argmax()] for side in (-1, 1)]


def test_what_would_follow_is_asked_before_it_is_taken(editor):
  editor.press('a')
  editor.go(0, OFF[0])
  centre = editor.contours(0).endo[OFF[0]].mean(0)
  places = editor.on_stage([centre, centre - SHIFT])
  editor.drag(places, held=Keys.SHIFT)
  assert re.fullmatch(r'\d+ other frames would follow \(dashed\).*', editor.find('#asked').text, re.S)
  assert editor.study.slices[0].state()['undo'] == 0
  editor.press(Keys.ESCAPE)
  assert not editor.find('#asked').is_displayed()
  editor.drag(places, held=Keys.SHIFT)
  editor.press(Keys.ENTER)
  assert editor.study.slices[0].state()['undo'] == 1
  assert editor.dice(0, OFF[0]) >= 0.95


def test_one_drag_in_the_m_mode_moves_a_border_in_all_frames(editor):
  editor.go(1, 6)
  before = editor.contours(1)
  strip, scales = editor.box('#mmode'), editor.find('#mmode').get_attribute('data-scale')
  wide, scale = map(float, scales.split())
  angle = np.deg2rad(270)
  axis = before.endo.mean((0, 1))
  radius = [_radius(line[6], axis, angle) for line in (before.endo, before.epi)]
  x, y = strip[0] + 6.5 * wide, strip[1] + radius[1] * scale
  editor.drag([(x, y), (x, y + scale), (x, y + 2 * scale)])
  after = editor.contours(1)
  grown = [_radius(after.epi[t], axis, angle) - _radius(before.epi[t], axis, angle) for t in range(12)]
  np.testing.assert_allclose(grown, 2, atol=0.4)  # the screen's pixels and the mask's stairs
  kept = [_radius(after.epi[t], axis, 0) - _radius(before.epi[t], axis, 0) for t in range(12)]
  np.testing.assert_allclose(kept, 0, atol=0.4)
  assert {frame['state'] for frame in editor.study.slices[1].state()['frames']} == {'key'}


def _radius(curve, centre, angle):
  """Distance of a curve from a centre at an angle (from columns to rows), between its points."""
  away = curve - centre
  found = np.arctan2(away[:, 0], away[:, 1])
  order = np.argsort(found)
  return np.interp((angle + np.pi) % (2 * np.pi) - np.pi, found[order], np.hypot(*away[order].T), period=2 * np.pi)


def test_points_are_dragged_and_what_is_refused_is_a_sentence(editor):
  editor.go(1, 0)
  one = editor.study.slices[1]
  point = np.array(one.state()['septum']['point'])
  aim = point + np.array([2, 3])
  editor.drag(editor.on_stage([point, point + 1, aim]))
  assert one.state()['septum'] == {'point': pytest.approx(aim, abs=0.3), 'certain': True}
  editor.press('i')
  first, second = near_septum(editor, 1, 0)
  editor.drag(editor.on_stage([first, first + 1]))
  assert one.state()['insertion'] is None  # the other one was only guessed
  editor.drag(editor.on_stage([second, second + 1]))
  np.testing.assert_allclose(one.state()['insertion'], [first + 1, second + 1], atol=0.4)
  done = one.state()['undo']
  editor.press('-', '-', '-', '-')  # smaller, so that the pointer leaves the window about the heart
  centre = editor.contours(1).endo[0].mean(0)
  far = np.array([0, 45])
  editor.drag(editor.on_stage([centre, centre + far / 2, centre + far]), held=Keys.SHIFT)
  assert 'leaves the' in editor.find('#message').text
  assert one.state()['undo'] == done


def test_one_pull_moves_one_border_in_the_frames_that_follow(editor):
  editor.go(1, 3)
  before = editor.contours(1)
  begin = before.epi[3, 45]  # away from mid septum and the line of the M-mode
  away = begin - before.epi[3].mean(0)
  editor.drag(editor.on_stage([begin + away * share for share in (0, 0.07, 0.15)]))
  after = editor.contours(1)
  found = editor.study.slices[1].state()['frames']
  assert [one['origin'] for one in found] == ['drawn' if t == 3 else 'carried' for t in range(12)]
  grown = {side: polygon_area(getattr(after, side)) - polygon_area(getattr(before, side)) for side in ('endo', 'epi')}
  assert grown['epi'][[2, 3, 4]].min() > 3  # square pixels
  np.testing.assert_allclose(np.delete(grown['endo'], 3), 0, atol=0.05)
  assert abs(grown['endo'][3]) < 1  # 32 handles of what 360 points were


LAYOUT = """
  const rows = [...document.querySelectorAll('.bar')].map((bar) => bar.getBoundingClientRect().height);
  const boxes = [...document.querySelectorAll('header > *')].map((one) => one.getBoundingClientRect());
  const parts = boxes.filter((one) => one.width);
  const beside = (a, b) => a.right - b.left < 1 || b.right - a.left < 1 || a.bottom - b.top < 1 || b.bottom - a.top < 1;
  const over = parts.flatMap((a, i) => parts.slice(i + 1).filter((b) => !beside(a, b)));
  document.querySelector('[data-act=whole]').hidden = false; // as where a window is shown
  const tall = document.querySelector('.bar').getBoundingClientRect().height;
  return [Math.max(...rows, tall), over.length, document.documentElement.scrollWidth]"""


@pytest.mark.parametrize(('width', 'rows'), [(390, 5), (1366, 1), (1920, 1)])
def test_tools_stand_in_one_row_on_a_laptop_and_nothing_overlaps_on_a_phone(editor, width, rows):
  metrics = {'width': width, 'height': 768, 'deviceScaleFactor': 1, 'mobile': False}
  editor.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)
  try:
    editor.settle()
    tall, overlaps, wide = editor.js(LAYOUT)
  finally:
    editor.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
  assert (tall < 34 * rows, overlaps, wide <= width) == (True, 0, True)


def test_a_run_that_is_right_is_agreed_to_and_not_said_to_be_drawn(editor):
  editor.go(1, 3)
  before = editor.contours(1)
  editor.chord(Keys.SHIFT, Keys.ARROW_RIGHT)
  editor.press('p')
  found = editor.study.slices[1].state()['frames']
  assert [(k, one['origin'], one['state']) for k, one in enumerate(found) if one['state'] != 'free'] == [
    (3, 'agreed', 'key'),
    (4, 'agreed', 'key'),
  ]
  assert 'agreed to' in editor.find('#timeline').get_attribute('aria-valuetext')
  np.testing.assert_allclose(editor.contours(1).endo[3:5], before.endo[3:5], atol=0.6)  # handles smooth a mask's stairs


def test_two_fingers_zoom_the_picture_and_edit_nothing(editor):
  editor.go(1, 0)
  left, top, wide, high = editor.box('#stage')
  scale = float(editor.find('#stage').get_attribute('data-map').split()[2])
  centre = np.array([left + wide / 2, top + high / 2])
  (middle,) = editor.on_stage([editor.contours(1).endo[0].mean(0)])

  def touch(kind, apart):
    points = [{'x': centre[0] + side * apart, 'y': centre[1], 'id': side + 1} for side in (-1, 1)]
    event = {'type': kind, 'touchPoints': [] if kind == 'touchEnd' else points}
    editor.driver.execute_cdp_cmd('Input.dispatchTouchEvent', event)

  for kind, apart in (('touchStart', 30), ('touchMove', 45), ('touchMove', 60), ('touchEnd', 0)):
    touch(kind, apart)
  editor.settle()
  assert float(editor.find('#stage').get_attribute('data-map').split()[2]) == pytest.approx(2 * scale, rel=0.02)
  (after,) = editor.on_stage([editor.contours(1).endo[0].mean(0)])
  np.testing.assert_allclose(after - centre, 2 * (np.array(middle) - centre), atol=3)  # what lies between them stays
  assert editor.study.slices[1].state()['undo'] == 0


def test_the_whole_picture_is_shown_where_the_heart_was_thought_elsewhere(editor):
  one, small = editor.study.slices[0], Box(10, 10, 70, 70)  # as of a larger picture
  whole = one.cine
  one.cine, one.box = window(whole, small), small
  editor.study._sheets.clear()
  editor.open()
  editor.go(0, 0)
  editor.click('[data-act=whole]')
  editor.wait(lambda: not editor.find('[data-act=whole]').is_displayed())
  assert tuple(one.box) == (0, 0, *one.shape)
  left, top, wide, high = editor.box('#stage')
  for x, y in editor.on_stage([(0, 0), np.array(one.shape) - 1]):
    assert left <= x <= left + wide
    assert top <= y <= top + high


def test_it_plays_without_asking_the_server_and_n_goes_to_the_wrong_frame(editor):
  editor.js('performance.clearResourceTimings()')
  editor.press(' ')
  seen = set()
  editor.wait(lambda: seen.add(editor.frame()) or len(seen) >= 6)
  editor.press(' ')
  assert editor.find('[data-act=play]').get_attribute('aria-label') == 'Play'
  assert editor.js('return performance.getEntriesByType("resource").length') == 0
  editor.press('n')
  chosen = int(editor.find('#stage').get_attribute('data-slice'))
  assert (chosen, editor.frame()) in {(0, OFF[0]), (0, OFF[1]), (2, MISSING)}


def test_the_second_of_two_windows_is_told_and_goes_on(editor):
  first = editor.driver.current_window_handle
  editor.go(0, 1)
  editor.driver.switch_to.new_window('window')
  try:
    editor.open()
    editor.go(0, 2)
    editor.press('p')
    editor.driver.switch_to.window(first)
    editor.press('p')
    editor.wait(lambda: editor.find('#banner').is_displayed())
    assert 'another window' in editor.find('#banner').text
    editor.click('#banner button')
    editor.press('p')
    editor.wait(lambda: [f['state'] for f in editor.study.slices[0].state()['frames']][1:3] == ['pinned', 'pinned'])
  finally:
    for handle in set(editor.driver.window_handles) - {first}:
      editor.driver.switch_to.window(handle)
      editor.driver.close()
    editor.driver.switch_to.window(first)


def test_everything_has_a_name_and_fits_a_laptop(editor):
  code = """
    const named = (e) => (e.getAttribute('aria-label') || e.textContent || e.title).trim();
    const fields = (e) => e.getAttribute('aria-label') || e.closest('label');
    return [...document.querySelectorAll('button, [role=slider], [role=application]')].filter((e) => !named(e))
      .concat([...document.querySelectorAll('input, select')].filter((e) => !fields(e))).map((e) => e.outerHTML)"""
  assert editor.js(code) == []
  assert editor.js(
    'const d = document.documentElement; return d.scrollWidth <= d.clientWidth && d.scrollHeight <= d.clientHeight'
  )
  editor.press('?')
  assert editor.find('#help').is_displayed()
  ActionChains(editor.driver).send_keys(Keys.ESCAPE).perform()
  assert not editor.find('#help').is_displayed()


def test_the_page_holds_no_style_or_script_of_its_own_and_no_other_host():
  static = pathlib.Path(app.__file__).parent / 'static'
  page = (static / 'index.html').read_text()
  assert re.findall(r'<style|\sstyle=|\son\w+=|<script(?! type="module" src="static/)', page) == []
  for path in static.iterdir():
    assert re.findall(r'https?:(?!//www\.w3\.org/2000/svg)|\beval\(|innerHTML', path.read_text()) == [], path.name
