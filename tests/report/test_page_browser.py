"""The page in a real browser, opened from a file: it plays, scrubs, switches, prints and shows the right numbers."""

import base64
import dataclasses
import io
import json
import math
import pathlib
import re
import shutil
import time

import as_shown
import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.report import sprites
from ear_jax.report.page import page_slice

CHROMIUM, DRIVER = shutil.which('chromium'), shutil.which('chromedriver')
pytestmark = pytest.mark.skipif(
  not (CHROMIUM and DRIVER), reason='no chromium with chromedriver is installed: the page is not opened in a browser'
)


class Page:
  """A page that is open in the browser."""

  def __init__(self, driver, path: pathlib.Path):
    self.driver = driver
    driver.get_log('browser')
    driver.get_log('performance')
    driver.get(path.as_uri())
    self.wait(lambda: self.js('return document.body.dataset.ready') == 'true')

  def js(self, code, *arguments):
    return self.driver.execute_script(code, *arguments)

  def find(self, selector, index=0):
    return self.driver.find_elements(By.CSS_SELECTOR, selector)[index]

  def frame(self, index=0):
    return int(self.js('return document.querySelectorAll(".slice")[arguments[0]].dataset.frame', index))

  def press(self, *keys):
    ActionChains(self.driver).send_keys(*keys).perform()

  def click(self, selector, index=0):
    """Clicks as a keyboard user would, wherever the element lies."""
    self.js('arguments[0].click()', self.find(selector, index))

  def canvas(self, index=0):
    return self.js('return document.querySelectorAll(".stage canvas")[arguments[0]].toDataURL()', index)

  def go(self, frame, index=0):
    code = 'const e = arguments[0]; e.value = arguments[1]; e.dispatchEvent(new Event("input"))'
    self.js(code, self.find('.scrub', index), frame)

  def wait(self, condition, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
      assert time.monotonic() < end, 'the page did not get there'
      time.sleep(0.02)

  def addresses(self):
    """What the browser asked for since the page was opened."""
    messages = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
    return [m['params']['request']['url'] for m in messages if m['method'] == 'Network.requestWillBeSent']


def decode(uri):
  return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))).convert('RGB'), float)


def study_colours(page, values, component):
  """`[..., 3]`, the colours that the page should give to velocities."""
  study = json.loads(page.js('return document.getElementById("study").textContent'))
  share = np.clip(np.asarray(values) / study['ranges'][component], -1, 1)
  return np.array(study['colours'], float).reshape(-1, 3)[np.rint((share + 1) / 2 * 254).astype(int)]


@pytest.fixture(scope='module')
def driver():
  options = webdriver.ChromeOptions()
  options.binary_location = CHROMIUM
  for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--window-size=1366,768'):
    options.add_argument(argument)
  options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
  opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
  screen = {'width': 1366, 'height': 768, 'deviceScaleFactor': 1, 'mobile': False}
  opened.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', screen)
  yield opened
  opened.quit()


@pytest.fixture
def opened(driver, report):
  page = Page(driver, report)
  yield page
  assert driver.get_log('browser') == []  # errors, and warnings of the content security policy


def test_it_opens_from_a_file_without_asking_for_anything(opened):
  asked = opened.addresses()
  assert any(a.startswith('file:') for a in asked)
  assert {a.partition(':')[0] for a in asked} <= {'file', 'data'}
  assert opened.js('const d = document.documentElement; return d.scrollWidth <= d.clientWidth')  # on a laptop


def test_it_plays_and_pauses(opened):
  opened.click('.play')
  seen = set()
  opened.wait(lambda: seen.add(opened.frame()) or len(seen) >= 3)
  assert opened.find('.play').get_attribute('aria-label') == 'Pause'
  opened.press(' ')  # the click was not the mouse's: space presses the button that has no focus, so it plays or pauses
  opened.wait(lambda: opened.find('.play').get_attribute('aria-label') == 'Play')
  stopped = opened.frame()
  time.sleep(0.6)
  assert opened.frame() == stopped


def test_the_chosen_speed_is_the_heart_s_own_slowed_down(opened, analysed):
  code = 'const e = arguments[0]; e.value = "0.1"; e.dispatchEvent(new Event("change"))'
  opened.js(code, opened.find('.speed select'))
  started = time.monotonic()
  opened.click('.play')
  opened.wait(lambda: opened.frame() == 1)
  # A busy machine may be later, none may be earlier; a repaint's length is forgiven.
  assert time.monotonic() - started > 0.95 * analysed[0].cine.frame_interval / 1000 / 0.1


def test_one_slice_plays_at_a_time(opened):
  opened.click('.play', 0)
  opened.click('.play', 2)
  assert [opened.find('.play', k).get_attribute('aria-label') for k in range(3)] == ['Play', 'Play', 'Pause']


def test_keys_scrub_round_the_cycle_and_go_to_the_slice_in_use(opened):
  ActionChains(opened.driver).move_to_element(opened.find('.stage')).click().perform()
  opened.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
  assert opened.frame() == 1
  opened.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
  assert opened.frame() == 11
  assert opened.frame(1) == 0
  opened.js('document.querySelectorAll(".stage")[1].focus()')
  opened.press(Keys.ARROW_RIGHT)
  assert (opened.frame(0), opened.frame(1)) == (11, 1)


def test_after_a_click_with_the_mouse_space_plays(opened):
  ActionChains(opened.driver).move_to_element(opened.find('[data-view=radial]')).click().perform()
  opened.press(' ')
  assert opened.find('.play').get_attribute('aria-label') == 'Pause'
  opened.press(' ')
  assert opened.find('[data-view=radial]').get_attribute('aria-pressed') == 'true'


def test_dragging_on_the_curves_scrubs(opened):
  svg = opened.find('svg.velocity')
  opened.js('arguments[0].scrollIntoView({ block: "center" })', svg)
  box = opened.js('const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.width, b.height]', svg)
  scale = box[2] / 880

  def at(frame):
    return round(box[0] + (48 + frame / 11 * (864 - 48)) * scale)  # the axis goes from 48 to 864 of 880

  mouse = ActionChains(opened.driver, duration=20)
  middle = round(box[1] + box[3] / 2)
  mouse.w3c_actions.pointer_action.move_to_location(at(3), middle).click()
  mouse.perform()
  assert opened.frame() == 3
  mouse = ActionChains(opened.driver, duration=20)
  mouse.w3c_actions.pointer_action.pointer_down().move_to_location(at(8), middle).pointer_up()
  mouse.perform()
  assert opened.frame() == 8
  tip = opened.find('.tip')
  assert tip.is_displayed()
  assert tip.text.startswith('Frame 8 · ')


def test_dragging_the_slider_scrubs(opened):
  slider = opened.find('.scrub')
  opened.js('arguments[0].scrollIntoView({ block: "center" })', slider)
  ActionChains(opened.driver).move_to_element(slider).click().perform()
  assert opened.frame() in (5, 6)  # the middle of 0 to 11


@pytest.mark.parametrize(('key', 'switch'), [('c', 'prediction'), ('r', 'reference'), ('s', 'smooth')])
def test_switches_change_the_picture_and_back(opened, key, switch):
  before = opened.canvas()
  opened.js('document.querySelector(".stage").focus()')
  opened.press(key)
  assert opened.canvas() != before
  opened.click(f'[data-switch={switch}]')
  assert opened.canvas() == before


def test_every_view_is_another_picture(opened):
  views = [b.get_attribute('data-view') for b in opened.driver.find_elements(By.CSS_SELECTOR, '#slice-0 [data-view]')]
  assert len(views) == 7
  opened.js('document.querySelector(".stage").focus()')
  pictures = set()
  for _ in views:
    opened.press('v')
    pictures.add(opened.canvas())
  assert len(pictures) == 7


def test_the_wall_s_colour_is_the_velocity_s(opened, analysed, page_slices):
  frame, component = 2, 0
  opened.go(frame)
  for switch in ('prediction', 'reference'):
    opened.click(f'[data-switch={switch}]')
  sheets = page_slices[0].sheets
  wall = np.argwhere(analysed[0].motion.mask[frame])[::25] - (sheets.top, sheets.left)

  def read():
    picture = decode(opened.canvas())
    places = (wall + 0.5) * picture.shape[:2] / (sheets.height, sheets.width)
    return picture[tuple(np.floor(places).astype(int).T)]

  below = read()
  opened.click('[data-view=longitudinal]')
  shown = read()
  velocity = sprites.wall_velocity(analysed[0].cine, analysed[0].motion)[frame, ..., component]
  velocity = velocity[wall[:, 0] + sheets.top, wall[:, 1] + sheets.left]
  assert np.ptp(velocity) > 1
  expected = 0.85 * study_colours(opened, velocity, component) + 0.15 * below
  inside = ~((wall[:, 0] > sheets.height * 0.6) & (wall[:, 1] > sheets.width * 0.8))  # not under the colour scale
  assert abs(shown - expected)[inside].max() <= 6  # 8 bits of velocity and of colour


def test_contours_lie_on_the_walls_borders(opened, analysed, page_slices):
  frame = 4
  opened.go(frame)
  opened.click('[data-switch=reference]')
  with_lines = decode(opened.canvas())
  opened.click('[data-switch=prediction]')
  changed = np.argwhere(abs(decode(opened.canvas()) - with_lines).max(-1) > 60)
  sheets, motion = page_slices[0].sheets, analysed[0].motion
  scale = np.array([sheets.height, sheets.width]) / with_lines.shape[:2]
  places = (changed + 0.5) * scale - 0.5 + (sheets.top, sheets.left)  # pixels of the cine
  lines = np.concatenate([motion.contours.endo[frame], motion.contours.epi[frame]])
  tick = motion.centre[frame] + np.linspace(0.75, 1.25, 60)[:, None] * (motion.septum - motion.centre)[frame]
  expected = np.concatenate([lines, tick])
  distance = np.hypot(*np.moveaxis(places[:, None] - expected, -1, 0))
  assert distance.min(1).max() < 0.8  # nothing is drawn away from the borders (a line is half a pixel wide)
  assert distance[:, :720].min(0).max() < 0.8  # and no part of them is missing


def test_the_maps_colours_are_the_sectors_velocities(opened, analysed):
  curves = analysed[0].motion.curves['angular24']
  for component in (0, 2):
    opened.click(f'#slice-0 [data-component="{component}"]')
    opened.go(6)
    shown = decode(opened.find('.map image').get_attribute('href'))
    assert abs(shown - study_colours(opened, curves[..., component], component)).max() <= 2
    fills = opened.js(
      "return [...document.querySelectorAll('#slice-0 [data-sector]')].map((p) => p.getAttribute('fill'))"
    )
    ring = np.array([re.findall(r'\d+', fill) for fill in fills], float)
    assert abs(ring - study_colours(opened, curves[:, 6, component], component)).max() <= 2


def cells(page, index, selector='.markers tbody tr'):
  rows = page.js(
    'return [...document.querySelectorAll(".slice")[arguments[0]].querySelectorAll(arguments[1])]'
    '.map((r) => [...r.children].map((c) => c.textContent))',
    index,
    selector,
  )
  return {(row[0], row[1]): row[2:] for row in rows}


def expected_cells(motion, reference, group, region):
  table = {}
  for m, columns in ((motion, None), (reference, ('velocity', 'time'))):
    if m is None:
      continue
    rows = m.markers[(m.markers['group'] == group) & (m.markers['region'] == region)]
    for row in rows.to_dict('records'):
      digits = {'velocity': 2, 'frame': 0, 'time': 0, 'normalised_time': 0}
      shown = [as_shown.rounded(row[key], digits[key]) for key in (columns or digits)]
      table.setdefault((row['component'], row['marker']), []).extend(shown)
  return table


def test_the_marker_table_has_the_numbers_of_the_chosen_region(opened, analysed):
  for index, a in enumerate(analysed):
    reference = a.reference if index < 2 else None
    assert cells(opened, index) == expected_cells(a.motion, reference, 'global', 0)
    for group, region in (('angular6', 4), ('angular24', 23), ('layers', 1)):
      opened.click(f'#slice-{index} button[data-group={group}]')
      opened.click(f'#slice-{index} .regions button', region)
      assert cells(opened, index) == expected_cells(a.motion, reference, group, region), (group, region)
    opened.click(f'#slice-{index} button[data-group=global]')
    assert cells(opened, index) == expected_cells(a.motion, reference, 'global', 0)


def test_the_readout_has_the_numbers_of_the_frame(opened, analysed):
  opened.click('#slice-1 button[data-group=angular6]')
  opened.click('#slice-1 .regions button', 2)
  a = analysed[1]
  for frame in (0, 5, 9):
    opened.go(frame, 1)
    text = opened.find('#slice-1 .readout').text
    assert text.startswith(f'Frame {frame} · {frame * a.cine.frame_interval:.0f} ms')
    for c, name in enumerate(COMPONENTS):
      ours, other = (as_shown.rounded(m.curves['angular6'][2, frame, c], 2) for m in (a.motion, a.reference))
      assert f'{name} {ours} (ref. {other})' in text
  assert np.isnan(a.motion.curves['angular6'][2, 5]).all()


def test_the_curves_lie_where_the_axes_say(opened, analysed):
  """Reads the axes back from the texts of their ticks: an independent way from pixels to numbers."""
  read = """return [...document.querySelectorAll('#slice-0 svg.velocity ' + arguments[0])]
    .map((e) => [e.textContent, e.getAttribute('x'), e.getAttribute('y'), e.getAttribute('d')])"""
  ticks = [(float(y) - 4, float(t)) for t, x, y, _ in opened.js(read, 'text') if x == '41' and t != 'uncert.']
  times = [(float(x), float(t)) for t, x, y, _ in opened.js(read, 'text[text-anchor=middle]:not(.marker)')]
  slope, start = np.polyfit(*np.array(times).T, 1)
  curves = [d for *_, d in opened.js(read, 'path.curve[data-region]')]
  panels = np.split(ticks, np.flatnonzero(np.diff([y for y, _ in ticks]) > 0) + 1)
  assert (len(panels), len(curves)) == (3, 3)
  for c, (panel, path) in enumerate(zip(panels, curves, strict=True)):
    points = np.array(re.findall(r'[ML]([\d.-]+) ([\d.-]+)', path), float)
    scale, zero = np.polyfit(*panel.T, 1)
    motion = analysed[0].motion
    np.testing.assert_allclose(points[:, 1] * scale + zero, motion.curves['global'][0, :, c], atol=abs(scale) * 0.06)
    np.testing.assert_allclose(points[:, 0] * slope + start, np.arange(12) * motion.frame_interval, atol=0.2)


def test_pressing_the_map_goes_to_its_sector_and_frame(opened, analysed):
  picture = opened.find('.map image')
  opened.js('arguments[0].scrollIntoView({ block: "center" })', picture)
  box = opened.js('const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.width, b.height]', picture)
  mouse = ActionChains(opened.driver, duration=20)
  place = round(box[0] + box[2] * 7.5 / 12), round(box[1] + box[3] * 18.5 / 24)
  mouse.w3c_actions.pointer_action.move_to_location(*place).click()
  mouse.perform()
  assert opened.frame() == 7
  assert opened.find('.region-name').text == 'A 3'  # number 18: six sectors IS, I, IL, AL, A, AS of four parts
  assert cells(opened, 0) == expected_cells(analysed[0].motion, analysed[0].reference, 'angular24', 18)


def test_the_first_sector_of_the_ring_begins_at_the_septum_and_goes_clockwise(opened, analysed):
  path = opened.find('[data-sector="0"]').get_attribute('d')  # inner from, outer from, arc, outer to, ...
  numbers = [float(n) for n in re.findall(r'-?[\d.]+', path)]
  box = (*numbers[:2], *numbers[9:11])
  motion = analysed[0].motion
  row, column = motion.septum[0] - motion.centre[0]
  first, last = np.arctan2(box[1], box[0]), np.arctan2(box[3], box[2])
  assert first == pytest.approx(np.arctan2(row, column), abs=0.01)
  turn = (last - first + np.pi) % (2 * np.pi) - np.pi
  assert turn == pytest.approx(np.pi / 12, abs=0.01)  # y grows downwards, so positive is clockwise on screen


def test_it_prints(opened, driver):
  made = driver.execute_cdp_cmd('Page.printToPDF', {'printBackground': True, 'preferCSSPageSize': True})
  pdf = base64.b64decode(made['data'])
  assert pdf.startswith(b'%PDF')
  assert len(re.findall(rb'/Type\s*/Page\b', pdf)) == 5  # the summary, a page for each of three slices, the settings
  assert all(opened.js('return [...document.querySelectorAll("details")].map((d) => d.open)'))


def test_hostile_strings_stay_strings(driver, write):
  evil = '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'
  page = Page(driver, write(pseudonym=evil, settings={evil: evil}))
  assert page.find('h1').text == evil
  assert page.driver.title.startswith(evil)
  assert driver.get_log('browser') == []


def test_withheld_and_pictures_alone_open_too(driver, write, page_slices, analysed, make_cine):
  magnitude = analysed[0].cine.replace(video=analysed[0].cine.video[..., :1], venc=None)
  alone = [page_slice(cine, None) for cine in (analysed[1].cine, magnitude, make_cine())]
  page = Page(driver, write(slices=[page_slices[0], *alone], withheld=True))
  assert not page.driver.find_elements(By.CSS_SELECTOR, '.plot, .map, .ring, .markers, .summary')
  before = page.canvas(2)
  page.js('document.querySelectorAll(".stage")[2].focus()')
  page.press(Keys.ARROW_RIGHT, 'v', 'c', 'r')
  assert page.frame(2) == 1
  assert page.canvas(2) != before
  assert driver.get_log('browser') == []


def test_a_reference_alone_and_unknown_spacing_and_interval_are_shown(driver, write, analysed):
  nowhere = {'spacing': (math.nan, math.nan), 'frame_interval': math.nan}
  cine = analysed[0].cine.replace(**nowhere)
  markers = analysed[0].motion.markers.assign(time=math.nan)
  unknown = dataclasses.replace(analysed[0].motion, markers=markers, **nowhere)
  slices = [page_slice(analysed[0].cine, None, analysed[0].reference), page_slice(cine, unknown)]
  page = Page(driver, write(slices=slices))
  assert cells(page, 0) == expected_cells(analysed[0].reference, None, 'global', 0)
  assert page.find('#slice-0 .readout').text.startswith('Frame 0 · 0 ms')
  assert page.find('#slice-1 .readout').text.startswith('Frame 0 · longitudinal')
  texts = page.js("return [...document.querySelectorAll('#slice-1 svg.velocity text')].map((t) => t.textContent)")
  assert 'frame' in texts
  assert not [t for t in texts if 'ms' in t]
  rows = page.driver.find_elements(By.CSS_SELECTOR, '.summary tbody th')
  assert [row.text for row in rows] == ['sax1 base reference', 'sax1 base']
  assert driver.get_log('browser') == []
