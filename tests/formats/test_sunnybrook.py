"""Both Sunnybrook layouts: on small folders written here, and on the real data where SUNNYBROOK_DIR names them."""

import math
import os
import pathlib
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from skimage.draw import polygon, polygon2mask, polygon_perimeter

from ear_jax.formats import sunnybrook, sunnybrook_cine
from ear_jax.formats.contour_files import read_contour
from ear_jax.formats.faults import MalformedStudy
from ear_jax.scoring.contrast_shift import contrast_shift

real = pytest.mark.skipif('SUNNYBROOK_DIR' not in os.environ, reason='SUNNYBROOK_DIR does not name the data')
CONTOURS = 'contours/SC-HF-I-1/contours-manual/IRCCI-expert'
ED, ES = 'SC-HF-I-01-IM-0001-0048.png', 'SC-HF-I-01-IM-0001-0059.png'


def _faults(read, root):
  with pytest.raises(MalformedStudy) as error:
    read(root)
  return [str(fault) for fault in error.value.faults]


def _ring():
  """Returns what both fixtures draw: 4..10 less 6..8, 49 - 9 = 40 pixels."""
  ring = np.zeros((16, 20), np.uint8)
  ring[4:11, 4:11] = 1
  ring[6:9, 6:9] = 0
  return ring


@pytest.mark.parametrize('patient', ['SC-HF-I-1', 'SC-HF-I-01'])
def test_a_patient_has_one_name(patient):
  assert sunnybrook.subject_id(patient) == 'SC-HF-I-01'


def test_frames_gives_end_diastole_alone(frames_root):
  (cine,) = sunnybrook.read_frames(frames_root)
  assert (cine.name, cine.subject) == ('SC-HF-I-01/IM-0001-0048', 'SC-HF-I-01')
  assert (cine.video.shape, cine.video[0, 0, 5, 0], cine.venc) == ((1, 16, 20, 1), 5.0, None)
  np.testing.assert_array_equal(cine.mask[0], _ring())
  assert cine.annotated.all()
  assert all(math.isnan(v) for v in (*cine.spacing, cine.frame_interval))


def test_cine_is_annotated_where_both_contours_exist(cine_root):
  (cine,) = sunnybrook_cine.read_cines(cine_root)
  assert (cine.name, cine.subject) == ('SC-HF-I-01/slice-01', 'SC-HF-I-01')
  np.testing.assert_array_equal(cine.annotated, [False, False, True])
  np.testing.assert_array_equal(cine.mask[2], _ring())
  np.testing.assert_array_equal(cine.video[:, 0, 0, 0], [100, 101, 102])
  assert (cine.spacing, cine.frame_interval) == ((1.25, 1.5), 40.0)


def _png(path, shape=(16, 20), value=255):
  Image.fromarray(np.full(shape, value, np.uint8)).save(path)


def _rgb(path):
  Image.new('RGB', (20, 16)).save(path)


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda r: (r / 'images' / ED).unlink(), None),  # both its masks are orphans then: below
    (lambda r: (r / 'images' / ES).unlink(), f'endo/{ES}, frame 0: mask without image: add images/{ES} or remove'),
    (lambda r: (r / 'endo' / ED).unlink(), f'epi/{ED}, frame 0: epi mask without endo mask: add endo/{ED}'),
    (lambda r: _png(r / 'epi' / ED, (16, 19)), f'epi/{ED}, frame 0: mask has shape (16, 19), its image (16, 20)'),
    (lambda r: _png(r / 'endo' / ED, value=7), f'endo/{ED}, frame 0: mask holds values other than 0 and 255'),
    (lambda r: _png(r / 'endo' / ED), f'epi/{ED}, frame 0: no myocardium is left: the epi mask lies within'),
    (lambda r: _rgb(r / 'images' / ED), f'images/{ED}, frame 0: not a readable 8-bit grey PNG (its mode is RGB)'),
    (lambda r: (r / 'images' / ED).write_bytes(b'x'), f'images/{ED}, frame 0: not a readable 8-bit grey PNG'),
    (lambda r: _png(r / 'images/anna.png'), 'images/anna.png: name is not <patient>-IM-<series>-<nnnn>.png'),
  ],
)
def test_a_broken_rule_of_frames_is_one_sentence(frames_root, change, message):
  change(frames_root)
  faults = _faults(sunnybrook.read_frames, frames_root)
  if message is None:
    assert faults == [
      f'{kind}/{ED}, frame 0: mask without image: add images/{ED} or remove the mask' for kind in ('endo', 'epi')
    ]
  else:
    assert len(faults) == 1
    assert faults[0].startswith(message)


def _contour(name, text):
  return lambda root: (root / CONTOURS / name).write_text(text)


OUTER, INNER = 'IM-0001-0006-ocontour-manual.txt', 'IM-0001-0006-icontour-manual.txt'
SQUARE = '4 4\n10 4\n10 10\n4 10\n'


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (_contour('IM-0001-0099-icontour-manual.txt', SQUARE), None),  # one side alone is no reference
    (
      lambda r: [_contour(f'IM-0001-0099-{side}contour-manual.txt', SQUARE)(r) for side in 'io'],
      f'{CONTOURS}: contours of 1 pictures that are not there (first: 0099)',
    ),
    (lambda r: (r / CONTOURS / INNER).unlink(), f'{CONTOURS}/{OUTER}: epicardium without endocardium: add the other'),
    (_contour(OUTER, '4 4\n10 4\n10\n4 10'), f'{CONTOURS}/{OUTER}: not a contour: line 3 is not one `x y` pair'),
    (_contour(OUTER, '4 4\n10 4\n'), f'{CONTOURS}/{OUTER}: not a contour: expected at least three points'),
    (_contour(OUTER, SQUARE + 'nan 4\n'), f'{CONTOURS}/{OUTER}: not a contour: expected at least three points, all'),
    (
      _contour(OUTER, SQUARE + '25 4\n'),
      f'{CONTOURS}, slice slice-01: not used: the contours leave the picture of 16 x',
    ),
    (lambda r: (r / 'images/SC-HF-I-1/IM-0001-0011.dcm').unlink(), 'images/SC-HF-I-1, slice 3: 2 frames, the other'),
  ],
)
def test_a_broken_rule_of_cine_is_one_sentence(cine_root, change, message):
  change(cine_root)
  if message is None:
    assert len(list(sunnybrook_cine.read_cines(cine_root))) == 1
  else:
    assert message in ' '.join(_faults(sunnybrook_cine.read_cines, cine_root))


def test_pictures_as_they_are_distributed_have_other_series_numbers(cine_root):  # case C8
  expected = [cine.mask.tolist() for cine in sunnybrook_cine.read_cines(cine_root)]
  for path in (cine_root / 'images/SC-HF-I-1').iterdir():
    path.rename(path.with_name(path.name.replace('IM-0001', 'IM-0024')))
  assert [cine.mask.tolist() for cine in sunnybrook_cine.read_cines(cine_root)] == expected


def test_a_folder_that_is_not_named_after_a_patient(cine_root):
  (cine_root / 'images/SC-HF-I-1').rename(cine_root / 'images/anna')
  with pytest.raises(MalformedStudy, match='images/anna: no folder is named after a patient, such as SC-HF-I-1'):
    list(sunnybrook_cine.read_cines(cine_root))


@pytest.mark.parametrize('read', [sunnybrook.read_frames, sunnybrook_cine.read_cines])
def test_a_folder_that_is_not_there(tmp_path, read):
  (fault,) = _faults(read, tmp_path / 'nowhere')
  assert fault.startswith('there is no such folder; it should hold')


def _fill_as_the_png_masks(points, shape):
  """Fills from vertices rounded down, numbers taken as counted from 0, with the boundary: the PNG masks' rule."""
  column, row = np.floor(points + 1).astype(int).T
  mask = np.zeros(shape, bool)
  mask[polygon(row, column, shape)] = True
  mask[polygon_perimeter(row, column, shape)] = True
  return mask


@real
def test_contours_and_png_masks_agree():
  root = pathlib.Path(os.environ['SUNNYBROOK_DIR'])
  dice, exact, off, sides = [], [], [], defaultdict(dict)
  for path in sorted(root.glob('cine/contours/*/contours-manual/IRCCI-expert/*[io]contour-manual.txt')):
    kind = {'i': 'endo', 'o': 'epi'}[path.name[13]]
    patient = sunnybrook.subject_id(path.parts[-4])
    png = np.asarray(Image.open(root / 'frames' / kind / f'{patient}-{path.name[:12]}.png')) > 0
    points = read_contour(path)
    filled = polygon2mask(png.shape, points[:, ::-1])  # as references are made
    dice.append(2 * (filled & png).sum() / (filled.sum() + png.sum()))
    exact.append(np.array_equal(_fill_as_the_png_masks(points, png.shape), png))
    off.append(np.argwhere(png).mean(0) - np.argwhere(filled).mean(0))
    sides[patient, path.name[:12]][kind] = np.array([png, filled])
  assert len(dice) == 84
  assert all(exact)
  assert np.mean(dice) > 0.95
  np.testing.assert_allclose(np.mean(off, 0), 0.75, atol=0.05)  # as the docs say
  rings = [one['epi'] & ~one['endo'] for one in sides.values() if len(one) == 2]
  thin = [2 * (png & true).sum() / (png.sum() + true.sum()) for png, true in rings]
  assert np.mean(thin) == pytest.approx(0.865, abs=0.002)  # the most that a right delineation has against the PNG masks


@real
def test_real_frames():
  cines = list(sunnybrook.read_frames(pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'frames'))
  assert (len(cines), len({cine.subject for cine in cines}), len({cine.name for cine in cines})) == (321, 35, 321)


@real
def test_real_cines():
  cines = list(sunnybrook_cine.read_cines(pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine'))
  assert [cine.video.shape for cine in cines] == [(20, 256, 256, 1)] * 28
  assert {cine.subject for cine in cines} == {'SC-HF-I-01', 'SC-HF-I-02', 'SC-HF-I-04'}
  assert all(cine.annotated.sum() == 1 for cine in cines)
  frames = [
    (cine.video[t, ..., 0], cine.mask[t].astype(bool)) for cine in cines for t in np.flatnonzero(cine.annotated)
  ]
  shifts = np.array([contrast_shift(*frame) for frame in frames])
  assert (abs(np.nanmedian(shifts, 0)) < 0.5).all()  # counted from 0, contours lie a pixel down and right of the wall
