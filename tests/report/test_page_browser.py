"""The page in a real browser, opened from a file: it plays, scrubs, switches, prints, and strings stay strings."""

import base64
import json
import re
import time

import as_shown
import browser
import numpy as np
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ear_jax.analysis.slices import analyse
from ear_jax.report.page import page_slice

pytestmark = browser.needed


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


def test_home_and_end_move_the_cine_and_a_screen_reader_is_told(opened):
  """Case N12."""
  status = opened.find('.said')
  assert (status.get_attribute('role'), status.get_attribute('textContent')) == ('status', '')
  opened.js('document.querySelector(".stage").focus()')
  opened.press(Keys.END)
  assert opened.frame() == 11
  assert status.get_attribute('textContent').startswith('frame 11 · ')
  opened.press(Keys.HOME, ' ')
  assert status.get_attribute('textContent') == 'playing'
  opened.press(' ')
  assert status.get_attribute('textContent').startswith('frame ')


@pytest.mark.parametrize(('width', 'mobile'), [(390, True), (3840, False)])
def test_a_phone_does_not_scroll_sideways_and_a_large_screen_is_used(opened, driver, width, mobile):
  """Case N12."""
  screen = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': mobile}
  driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', screen)
  try:
    wide, seen, main = opened.js(
      'const d = document.documentElement; const m = document.querySelector("main").getBoundingClientRect();'
      'return [d.scrollWidth, d.clientWidth, m.width]'
    )
    assert wide <= seen
    assert main >= 0.55 * width
  finally:
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', browser.LAPTOP)


def test_what_scrolls_sideways_is_reached_and_moved_by_keys(opened, driver):
  """What axe-core asks of a scrolling region (its rule scrollable-region-focusable); case N12."""
  assert not driver.find_elements(By.CSS_SELECTOR, '[data-scrolls]')  # nothing on a laptop: no needless stops
  phone = {'width': 390, 'height': 844, 'deviceScaleFactor': 1, 'mobile': True}
  driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', phone)
  try:
    wide = """return [...document.querySelectorAll("main *")].filter((e) => e.scrollWidth > e.clientWidth
      && getComputedStyle(e).overflowX === "auto").map((e) => e.tabIndex)"""
    opened.wait(lambda: opened.js(wide) and set(opened.js(wide)) == {0})
    frame = opened.frame()
    opened.js('document.querySelector(".markers").focus()')
    moved = 'return document.querySelector(".markers").scrollLeft > 0'
    opened.wait(lambda: opened.press(Keys.ARROW_RIGHT) or opened.js(moved))
    assert opened.frame() == frame
  finally:
    driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', browser.LAPTOP)


def test_tab_reaches_every_control_and_shows_where_it_is(opened):
  """Case N12. What a page does with the mouse alone (maps, curves) has buttons and a slider beside it."""
  opened.js('document.activeElement.blur(); window.getSelection().collapse(document.body, 0)')
  every = 'document.querySelectorAll("a, button, select, input, summary, .stage")'
  controls = opened.js(f'return [...{every}].filter((e) => e.checkVisibility()).length')
  seen = """const e = document.activeElement; if (e === document.body) return null;
    e.dataset.seen = ""; return getComputedStyle(e).outlineStyle"""
  for _ in range(controls):
    opened.press(Keys.TAB)
    assert opened.js(seen) not in (None, 'none'), opened.js('return document.activeElement.outerHTML.slice(0, 200)')
  assert len(opened.driver.find_elements(By.CSS_SELECTOR, '[data-seen]')) == controls


def test_what_keys_change_out_of_sight_is_said(opened):
  """Case N12."""
  said = opened.find('.said')
  opened.js('document.querySelector(".stage").focus()')
  for key, words in (
    ('v', 'view longitudinal'),
    ('c', 'contours off'),
    ('c', 'contours on'),
    ('s', 'smooth pixels on'),
  ):
    opened.press(key)
    assert said.get_attribute('textContent') == words
  opened.click('[data-group=angular6]')
  opened.click('.regions button')
  value = json.loads(opened.find('.data').get_attribute('textContent'))['prediction']['curves']['angular6'][0][0][0]
  assert f'longitudinal {as_shown.rounded(value, 2)}' in said.get_attribute('textContent')


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


def test_it_prints(opened, driver):
  made = driver.execute_cdp_cmd('Page.printToPDF', {'printBackground': True, 'preferCSSPageSize': True})
  pdf = base64.b64decode(made['data'])
  assert pdf.startswith(b'%PDF')
  assert len(re.findall(rb'/Type\s*/Page\b', pdf)) == 5  # the summary, a page for each of three slices, the settings
  assert all(opened.js('return [...document.querySelectorAll("details")].map((d) => d.open)'))


def test_a_slice_opens_at_the_first_frame_that_is_drawn(driver, write, page_slices, analysed):
  a = analysed[0]
  drawn = analyse(a.cine, a.cine.mask * np.isin(np.arange(12), (4, 5, 6))[:, None, None].astype(np.uint8))
  first = int(np.flatnonzero(~drawn.contours.failed)[0])
  assert first > 2  # one that lies beside those that are drawn may be interpolated
  shown = [page_slice(a.cine, drawn), page_slice(a.cine, a.motion, drawn), page_slices[0], page_slice(a.cine, None)]
  page = browser.Page(driver, write(slices=shown))
  assert [page.frame(k) for k in range(4)] == [first, first, 0, 0]


def test_hostile_strings_stay_strings(driver, write):
  evil = '</script><script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'
  page = browser.Page(driver, write(pseudonym=evil, settings={evil: evil}))
  assert page.find('h1').text == evil
  assert page.driver.title.startswith(evil)
  assert driver.get_log('browser') == []


def test_withheld_and_pictures_alone_open_too(driver, write, page_slices, analysed, make_cine):
  magnitude = analysed[0].cine.replace(video=analysed[0].cine.video[..., :1], venc=None)
  alone = [page_slice(cine, None) for cine in (analysed[1].cine, magnitude, make_cine())]
  page = browser.Page(driver, write(slices=[page_slices[0], *alone], withheld=True))
  assert not page.driver.find_elements(By.CSS_SELECTOR, '.plot, .map, .ring, .markers, .summary')
  before = page.canvas(2)
  page.js('document.querySelectorAll(".stage")[2].focus()')
  page.press(Keys.ARROW_RIGHT, 'v', 'c', 'r')
  assert page.frame(2) == 1
  assert page.canvas(2) != before
  assert driver.get_log('browser') == []
