"""The figure for papers draws the analysis' numbers, in the right panel, in the right colour."""

import dataclasses
import math
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ear_jax.report import curves, figures


def lines(axis, colour):
  return [line for line in axis.lines if line.get_color() == colour and len(line.get_xdata()) > 2]


def pairs(analysed):
  return [(a.motion, a.reference) for a in analysed[:2]] + [(analysed[2].motion, None)]


def test_each_panel_has_its_slice_s_and_component_s_curves(analysed):
  panels = np.reshape(curves.figure(pairs(analysed)).axes, (3, 3))
  for row, pair in zip(panels, pairs(analysed), strict=True):
    for component, axis in enumerate(row):
      for motion, colour in zip(pair, curves.COLOURS.values(), strict=True):
        found = lines(axis, colour)
        assert len(found) == (motion is not None)
        for line in found:
          np.testing.assert_array_equal(line.get_ydata(), motion.curves['global'][0, :, component])
          np.testing.assert_array_equal(line.get_xdata(), np.arange(12) * motion.frame_interval)
  assert [axis.get_title() for axis in panels[0]] == ['longitudinal', 'radial', 'circumferential']
  assert [row[0].get_ylabel() for row in panels] == ['sax1 (base)\ncm/s', 'sax2 (mid)\ncm/s', 'sax3 (apex)\ncm/s']


def test_markers_stand_at_their_time_and_velocity(analysed):
  motion = analysed[0].motion
  for axis, component in zip(curves.figure([(motion, None)]).axes, curves.COMPONENTS, strict=True):
    found = {text.get_text().split()[0]: text.xy for text in axis.texts}
    table = motion.markers[(motion.markers['group'] == 'global') & (motion.markers['component'] == component)]
    expected = {row.marker: (row.time, row.velocity) for row in table.dropna(subset=['velocity']).itertuples()}
    assert found.keys() == expected.keys()
    for name, place in expected.items():
      assert found[name] == pytest.approx(place)


def test_a_component_has_one_axis_of_velocity_that_holds_every_curve(analysed):
  panels = np.reshape(curves.figure(pairs(analysed)).axes, (3, 3))
  for component in range(3):
    limits = {axis.get_ylim() for axis in panels[:, component]}
    assert len(limits) == 1
    low, high = limits.pop()
    values = np.concatenate([a.motion.curves['global'][0, :, component] for a in analysed])
    assert low < np.nanmin(values)
    assert high > np.nanmax(values)


def test_without_a_frame_interval_time_is_in_frames(analysed):
  unknown = dataclasses.replace(analysed[0].motion, frame_interval=math.nan)
  drawn = curves.figure([(unknown, None)])
  assert drawn.get_supxlabel() == 'frame'
  np.testing.assert_array_equal(lines(drawn.axes[0], curves.COLOURS['prediction'])[0].get_xdata(), np.arange(12))


def test_slices_without_curves_are_refused(analysed):
  with pytest.raises(ValueError, match='no slice to draw'):
    curves.figure([])
  with pytest.raises(ValueError, match='slices without prediction and reference: 1 '):
    curves.figure([(analysed[0].motion, None), (None, None)])


def test_it_is_written_with_the_house_s_function(analysed, tmp_path):
  figures.save(curves.figure(pairs(analysed)[:1], title='phantom-01-a'), tmp_path / 'curves.png')
  assert Image.open(tmp_path / 'curves.png').size == (1215, 367)  # 8.1 x 2.45 inches at 150 dpi


def points(path):
  """`[points, 2]` of a path of straight lines, in an SVG or, without its letters, a PDF."""
  return np.array(re.findall(r'(-?[\d.]+) (-?[\d.]+)', path), float)


@pytest.fixture(scope='module')
def written(analysed, tmp_path_factory):
  """The figure of the first slice, in every format."""
  folder = tmp_path_factory.mktemp('papers')
  figures.save_each(curves.figure(pairs(analysed)[:1], title='phantom-01-a'), folder, curves.FILES)
  return folder


def test_the_svg_holds_the_curves_and_its_text_is_text(analysed, written):
  """Pixels become cm/s by the ticks of the picture: their places and their texts."""
  svg = '{http://www.w3.org/2000/svg}'
  root = ElementTree.parse(written / 'curves.svg').getroot()
  named = {group.get('id'): group for group in root.iter(f'{svg}g')}
  texts = [''.join(text.itertext()) for text in root.iter(f'{svg}text')]
  assert {'phantom-01-a', 'longitudinal', 'time (ms)', 'prediction'} <= set(texts)
  for k, component in enumerate(curves.COMPONENTS):
    ticks = [one for one in named[f'axes_{k + 1}'].iter(f'{svg}g') if (one.get('id') or '').startswith('ytick')]
    at = [float(next(tick.iter(f'{svg}use')).get('y')) for tick in ticks]
    labels = [''.join(next(tick.iter(f'{svg}text')).itertext()).replace('\N{MINUS SIGN}', '-') for tick in ticks]
    scale = np.polyfit(at, [float(label) for label in labels], 1)
    for motion, name in ((analysed[0].motion, 'prediction'), (analysed[0].reference, 'reference')):
      path = next(named[f'sax1-{component}-{name}'].iter(f'{svg}path')).get('d')
      np.testing.assert_allclose(np.polyval(scale, points(path)[:, 1]), motion.curves['global'][0, :, k], atol=1e-3)


def test_the_pdf_holds_the_curves(analysed, written):
  """Each is some line of the drawing, but for scale and place."""
  streams = re.findall(rb'stream\r?\n(.*?)endstream', (written / 'curves.pdf').read_bytes(), re.S)
  drawn = max((zlib.decompress(one) for one in streams if one[:1] == b'x'), key=lambda one: one.count(b' l\n'))
  lines = [points(one) for one in re.findall(r'[-\d.]+ [-\d.]+ m\n(?:[-\d.]+ [-\d.]+ l\n)+', drawn.decode('latin1'))]
  lines = [line for line in lines if len(line) == 12]
  for motion in (analysed[0].motion, analysed[0].reference):
    for curve in motion.curves['global'][0].T:
      assert max(np.corrcoef(line[:, 1], curve)[0, 1] for line in lines) > 0.99999


def test_the_files_for_papers_are_the_same_twice_and_say_nothing_of_when_or_by_whom(analysed, written, tmp_path):
  figures.save_each(curves.figure(pairs(analysed)[:1], title='phantom-01-a'), tmp_path, curves.FILES)
  for name in curves.FILES:
    made = (tmp_path / name).read_bytes()
    assert made == (written / name).read_bytes()
    assert not re.search(rb'Date|Creator|Producer|Software|Author', made)
