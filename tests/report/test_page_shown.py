"""What the page shows in a real browser: the colours, lines and numbers of the analysis, where they belong."""

import dataclasses
import math
import re

import as_shown
import browser
import numpy as np
import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from ear_jax.analysis.motion import COMPONENTS
from ear_jax.report import sprites
from ear_jax.report.page import page_slice

pytestmark = browser.needed


def test_the_wall_s_colour_is_the_velocity_s(opened, analysed, page_slices):
  frame, component = 2, 0
  opened.go(frame)
  for switch in ('prediction', 'reference'):
    opened.click(f'[data-switch={switch}]')
  sheets = page_slices[0].sheets
  wall = np.argwhere(analysed[0].motion.mask[frame])[::25] - (sheets.top, sheets.left)

  def read():
    picture = browser.decode(opened.canvas())
    places = (wall + 0.5) * picture.shape[:2] / (sheets.height, sheets.width)
    return picture[tuple(np.floor(places).astype(int).T)]

  below = read()
  opened.click('[data-view=longitudinal]')
  shown = read()
  velocity = sprites.wall_velocity(analysed[0].cine, analysed[0].motion)[frame, ..., component]
  velocity = velocity[wall[:, 0] + sheets.top, wall[:, 1] + sheets.left]
  assert np.ptp(velocity) > 1
  expected = 0.85 * browser.study_colours(opened, velocity, component) + 0.15 * below
  inside = ~((wall[:, 0] > sheets.height * 0.6) & (wall[:, 1] > sheets.width * 0.8))  # not under the colour scale
  assert abs(shown - expected)[inside].max() <= 6  # 8 bits of velocity and of colour


def test_contours_lie_on_the_walls_borders(opened, analysed, page_slices):
  frame = 4
  opened.go(frame)
  opened.click('[data-switch=reference]')
  with_lines = browser.decode(opened.canvas())
  opened.click('[data-switch=prediction]')
  changed = np.argwhere(abs(browser.decode(opened.canvas()) - with_lines).max(-1) > 60)
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
    shown = browser.decode(opened.find('.map image').get_attribute('href'))
    assert abs(shown - browser.study_colours(opened, curves[..., component], component)).max() <= 2
    fills = opened.js(
      "return [...document.querySelectorAll('#slice-0 [data-sector]')].map((p) => p.getAttribute('fill'))"
    )
    ring = np.array([re.findall(r'\d+', fill) for fill in fills], float)
    assert abs(ring - browser.study_colours(opened, curves[:, 6, component], component)).max() <= 2


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
      shown = []
      for key in columns or digits:
        shown.append(as_shown.rounded(row[key], digits[key]))
        if key in ('velocity', 'time') and not columns:
          ends = [row[f'{key}_{end}'] for end in ('low', 'high')]
          shown.append('' if np.isnan(ends[0]) else ' to '.join(as_shown.rounded(end, digits[key]) for end in ends))
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


def test_a_reference_alone_and_unknown_spacing_and_interval_are_shown(driver, write, analysed):
  nowhere = {'spacing': (math.nan, math.nan), 'frame_interval': math.nan}
  cine = analysed[0].cine.replace(**nowhere)
  markers = analysed[0].motion.markers.assign(time=math.nan)
  unknown = dataclasses.replace(analysed[0].motion, markers=markers, **nowhere)
  slices = [page_slice(analysed[0].cine, None, analysed[0].reference), page_slice(cine, unknown)]
  page = browser.Page(driver, write(slices=slices))
  assert cells(page, 0) == expected_cells(analysed[0].reference, None, 'global', 0)
  assert page.find('#slice-0 .readout').text.startswith('Frame 0 · 0 ms')
  assert page.find('#slice-1 .readout').text.startswith('Frame 0 · longitudinal')
  texts = page.js("return [...document.querySelectorAll('#slice-1 svg.velocity text')].map((t) => t.textContent)")
  assert 'frame' in texts
  assert not [t for t in texts if 'ms' in t]
  rows = page.driver.find_elements(By.CSS_SELECTOR, '.summary tbody th')
  assert [row.text for row in rows] == ['sax1 base reference', 'sax1 base']
  assert driver.get_log('browser') == []
