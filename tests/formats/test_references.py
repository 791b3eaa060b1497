"""Contours beside studies: matched to the right slice, kept as drawn, refused elsewhere; files as StrainMap writes."""

import dataclasses
import json
import os
import pathlib
import re
import shutil

import h5py
import numpy as np
import pydicom
import pytest
import xarray as xr

from ear_jax.analysis.carrying import CARRIED
from ear_jax.analysis.motion import Settings, region_names
from ear_jax.analysis.origin import in_words
from ear_jax.cine import Study
from ear_jax.formats import references, strainmap, strainmap_marks, sunnybrook_cine
from ear_jax.formats.faults import MalformedStudy
from ear_jax.formats.open import open_studies
from ear_jax.formats.siemens import writer
from ear_jax.formats.strainmap_marks import Mark
from ear_jax.phantom import study
from ear_jax.report.results import write_results
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import Options, conventions, examine

SIZE = study.Size('phantom_drawn', 2, 0, (2,), 8, 72, 2.0, 2.4, offset=16.0, sharing=0.0)
IDS = ['slice-00', 'slice-01', 'slice-02']
SERIES = ['11 mvm sax1', '16 mvm sax2', '21 mvm sax3']


def person(index):
  return [plan for plan in study.plan(SIZE) if plan.subject_index == index]


def curves(index=0):
  """Endo- and epicardium `[2, T, 360, 2]` (row, column) of each slice, exact."""
  truths = map(study.truth, person(index))
  return [np.stack([truth.endo, truth.epi]) for truth in truths]


@pytest.fixture(scope='module')
def scans(tmp_path_factory):
  """A folder with the studies of two people, `one` and `two`; not to be changed."""
  root = tmp_path_factory.mktemp('scans')
  for index, name in enumerate(('one', 'two')):
    cines = tuple(study.render(plan) for plan in person(index))
    writer.write(Study(cines[0].subject, cines[0].dataset, cines), root / name)
  return root


def by_hand(path, names, sides, *, signs=(1, 1, 1), sectors='CCW', septum=None, marks=()):
  """Writes contours as StrainMap does: packed, closed, (col, row), one group an array."""
  closed = np.stack([np.concatenate([one, one[:, :, :1]], 2) for one in sides])  # [cine, side, T, P, 2]
  segments = np.moveaxis(closed[..., ::-1], -1, -2)
  ticks = {'cine': list(names), 'side': ['endocardium', 'epicardium'], 'frame': np.arange(segments.shape[2])}
  ticks['coord'] = ['col', 'row']
  packed = {'dtype': 'int32', 'scale_factor': float(np.nanmax(abs(segments))) / (2**31 - 1), '_FillValue': -(2**31)}
  array = xr.DataArray(segments, ticks, ('cine', 'side', 'frame', 'coord', 'point'), name='segments')
  array.to_dataset().to_netcdf(path, group='segments', engine='h5netcdf', encoding={'segments': packed})
  turned = xr.DataArray(np.array(signs, np.int16), {'comp': list('XYZ')}, name='sign_reversal')
  turned.to_dataset().to_netcdf(path, mode='a', group='sign_reversal', engine='h5netcdf')
  if septum is not None:
    place = np.broadcast_to(np.asarray(septum)[::-1], (len(closed), segments.shape[2], 2))
    del ticks['side']
    point = xr.DataArray(place, ticks, ('cine', 'frame', 'coord'), name='septum')
    point.to_dataset().to_netcdf(path, mode='a', group='septum', engine='h5netcdf')
  with h5py.File(path, 'a') as h5:
    h5.attrs.update({'orientation': sectors, 'timeshift': -0.045, 'Patient Name': 'SECRET^NAME'})
    if marks:
      known = {name: (strainmap_marks.sums(*one), np.zeros(2)) for name, one in zip(names, closed, strict=True)}
      strainmap_marks.write(h5, dict(zip(names, marks, strict=True)), known)
  return path


def attached(root, *files, trusted=False):
  """Cine and source of every slice by study and id, and the rules of the contours that were not used."""
  drawn = [one for file in files for one in references.find(file).drawn]
  studies, unused = references.attach(open_studies(root), drawn, trusted=trusted)
  found = {(number, cine.slice_id): (cine, source) for number, one in enumerate(studies) for cine, source in one.read()}
  assert 'SECRET' not in repr(unused)
  return found, [f'{fault.file}, {fault.frame}: {fault.rule}' for fault in unused]


def used(found):
  return sorted(place for place, (_, source) in found.items() if source.drawn is not None)


def prints(root):
  return [Mark(strainmap_marks.fingerprint(cine)) for cine in open_studies(root)[0]]


def test_contours_come_to_their_slices_as_drawn_by_strainmaps_names(scans, tmp_path):
  """Case S11: points to the precision of the packing; the mask is StrainMap's rule."""
  file = by_hand(tmp_path / 'Doe_20200101.nc', SERIES, curves(), septum=(30.0, 40.0))
  found, unused = attached(scans / 'one', file)
  assert unused == []
  for plan, name, (endo, epi) in zip(person(0), IDS, curves(), strict=True):
    cine, source = found[0, name]
    np.testing.assert_allclose(source.drawn.endo, endo, rtol=0, atol=1e-7)
    np.testing.assert_allclose(source.drawn.epi, epi, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(source.septum.where, np.full((8, 2), (30.0, 40.0)))
    assert source.septum.certain
    assert cine.annotated.all()
    true = study.truth(plan).mask
    assert 2 * (cine.mask & true).sum() / (cine.mask.sum() + true.sum()) > 0.98


def test_what_was_drawn_leaves_every_export_as_it_came(scans, tmp_path):
  """Cases S2 and S11: file to results to file and back, points, signs and order exact; and once more."""
  file = by_hand(tmp_path / 'a.nc', SERIES, curves(), signs=(1, 1, -1), sectors='CW')
  for turn in range(2):
    found, unused = attached(scans / 'one', file)
    assert unused == []
    results = [examine(cine, source, [], Options()).result for cine, source in found.values()]
    write_results(tmp_path / f'out{turn}', 'anon', results)
    again = strainmap.read_contours(tmp_path / f'out{turn}' / 'anon.nc')
    first = strainmap.read_contours(tmp_path / 'a.nc')
    for there, back in zip(first.values(), again.values(), strict=True):
      np.testing.assert_allclose(back.endo, there.endo, rtol=0, atol=1e-7)
      np.testing.assert_allclose(back.epi, there.epi, rtol=0, atol=1e-7)
      assert (back.signs, back.sectors) == ((1, 1, -1), 'CW')
      assert back.mark.drawn
    file = tmp_path / f'out{turn}' / 'anon.nc'
  table = np.genfromtxt(file.with_name('contours.csv'), delimiter=',', skip_header=1, usecols=(1, 3, 4, 5))
  np.testing.assert_allclose(table[:360, 2:], curves()[0][0, 0], atol=1e-3)  # endo, frame 0: six digits


def test_signs_and_order_are_those_of_the_file(scans, tmp_path):
  """Case S2: X, Y and Z are along column, along row and through the plane."""
  plain, turned = (
    by_hand(tmp_path / f'{name}.nc', SERIES, curves(), signs=signs, sectors=sectors)
    for name, signs, sectors in (('plain', (1, 1, 1), 'CCW'), ('turned', (1, 1, -1), 'CW'))
  )
  cine, source = attached(scans / 'one', plain)[0][0, IDS[1]]
  expected = examine(cine, source, [], Options()).result.motion
  cine, source = attached(scans / 'one', turned)[0][0, IDS[1]]
  motion = examine(cine, source, [], Options()).result.motion
  long, radial = 0, 1
  np.testing.assert_allclose(motion.curves['global'][..., long], -expected.curves['global'][..., long], atol=1e-9)
  np.testing.assert_allclose(motion.curves['global'][..., radial], expected.curves['global'][..., radial], atol=1e-9)
  assert motion.settings.signs == (1, 1, -1)
  assert region_names('angular6', motion.settings.orientation) == ('AS', 'A', 'AL', 'IL', 'I', 'IS')
  said = {check.name: check for check in conventions(Options(), source, motion.settings)}
  assert '+1, +1, -1 as the file' in said['velocity signs'].reason
  assert 'CW as the file' in said['order of sectors'].reason


def test_a_flag_goes_before_the_file_and_both_values_are_said(scans, tmp_path):
  file = by_hand(tmp_path / 'a.nc', SERIES, curves(), signs=(1, 1, -1), sectors='CW')
  cine, source = attached(scans / 'one', file)[0][0, IDS[1]]
  asked = Options(Settings(), auto_orientation=False, auto_signs=False)
  motion = examine(cine, source, [], asked).result.motion
  assert (motion.settings.signs, motion.settings.orientation) == ((1, 1, 1), 'CCW')
  said = conventions(asked, source, motion.settings)
  assert [check.status for check in said] == ['warn', 'warn']
  assert '+1, +1, +1 by --signs; the file of the contours states +1, +1, -1' in said[0].reason
  assert 'CCW by --orientation; the file of the contours states CW' in said[1].reason


def mixed_up(name, scans, tmp_path):
  """Plants one mix-up: returns the study, the file, and the slices that are right all the same."""
  own, other, marks = curves(), curves(1), prints(scans / 'one')
  last = np.array([SIZE.matrix - 1] * 2)
  root, file = scans / 'one', tmp_path / 'drawn.nc'
  if name == 'a study of another person, our own names':
    return scans / 'two', by_hand(file, IDS, own, marks=marks), []
  if name == 'a study of another person, by StrainMap':
    return scans / 'two', by_hand(file, SERIES, own), []
  if name == 'a slice was lost and the names of the others moved up':
    root = shutil.copytree(scans / 'one', tmp_path / 'lost')
    for path in root.iterdir():
      if 16 <= pydicom.dcmread(path, stop_before_pixels=True).SeriesNumber <= 20:
        path.unlink()
    return root, by_hand(file, IDS, own, marks=marks), [IDS[0], IDS[1]]  # the apex is found by its pictures
  if name == 'another place in the patient':
    apart = [Mark(position=source.position + 9) for _, source in open_studies(root)[0].read()]
    return root, by_hand(file, IDS, own, marks=apart), []
  sides = {
    'base and apex exchanged': [own[2], own[1], own[0]],
    'left and right': [one * [1, -1] + [0, last[1]] for one in own],
    'up and down': [one * [-1, 1] + [last[0], 0] for one in own],
    'endo- and epicardium': [one[::-1] for one in own],
    'X and Y': [one[..., ::-1] for one in own],
    'half a cycle later': [np.roll(one, 4, 1) for one in own],
    'drawn on a matrix of another size': [one * 0.75 for one in own],
    'contours of another person in our file': other,
  }[name]
  right = [IDS[1]] if name.startswith('base') else []
  return root, by_hand(file, SERIES, sides), right


@pytest.mark.parametrize(
  'name',
  [
    'a study of another person, our own names',
    'a study of another person, by StrainMap',
    'a slice was lost and the names of the others moved up',
    'another place in the patient',
    'base and apex exchanged',
    'left and right',
    'up and down',
    'endo- and epicardium',
    'X and Y',
    'half a cycle later',
    'drawn on a matrix of another size',
    'contours of another person in our file',
  ],
)
def test_a_mix_up_is_refused_in_a_sentence(scans, tmp_path, name):
  """Case S1."""
  root, file, right = mixed_up(name, scans, tmp_path)
  found, unused = attached(root, file)
  assert [place[1] for place in used(found)] in (right, [])
  assert len(unused) >= 1
  assert all('not used: ' in rule for rule in unused)
  for place in set(found) - set(used(found)):
    cine, source = found[place]
    assert source.drawn is None
    assert not cine.mask.any()


def test_where_most_contours_of_a_file_lie_on_no_wall_the_others_are_strangers_too(scans, tmp_path):
  root, file, _ = mixed_up('base and apex exchanged', scans, tmp_path)
  found, unused = attached(root, file)
  assert used(found) == []
  (others,) = [rule for rule in unused if 'are they of another study' in rule]
  assert re.search(r'cine 2: not used: 2 of 3 lie on no wall of study-\w+: ', others)


def test_the_sentence_of_a_contradiction_has_both_values(scans, tmp_path):
  file = by_hand(tmp_path / 'a.nc', IDS, curves(), marks=[Mark(position=77.0)] * 3)
  place = next(source.position for _, source in open_studies(scans / 'one')[0].read())
  assert f'at 77.0 mm, slice slice-00 lies at {place:.1f} mm' in attached(scans / 'one', file)[1][0]
  short = by_hand(tmp_path / 'b.nc', SERIES, [one[:, :7] for one in curves()])
  assert 'have 7 frames, slice slice-00 has 8' in attached(scans / 'one', short)[1][0]
  large = by_hand(tmp_path / 'd.nc', SERIES, [one * 1.8 for one in curves()])
  assert 'leave the picture of 72 x 72 pixels of slice slice-00' in attached(scans / 'one', large)[1][0]
  strange = by_hand(tmp_path / 'c.nc', ['99 cine'], curves()[:1])
  assert 'fit no slice by name (slices: slice-00, slice-01, slice-02' in attached(scans / 'one', strange)[1][0]


def test_contours_find_back_after_new_identifiers_and_a_lost_slice(scans, tmp_path):
  """Case S1: de-identified, the basal slice lost, series renumbered."""
  file = by_hand(tmp_path / 'a.nc', IDS, curves(), marks=prints(scans / 'one'))
  root = shutil.copytree(scans / 'one', tmp_path / 'anonymous')
  for path in list(root.iterdir()):
    image = pydicom.dcmread(path)
    if image.SeriesNumber < 16:
      path.unlink()
      continue
    for tag in ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'):
      setattr(image, tag, f'{getattr(image, tag)}.7'[-60:].lstrip('.0'))
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.SeriesNumber, image.SeriesDescription, image.PatientName = image.SeriesNumber + 300, 'x', 'x'
    image.save_as(path.with_name(f'{image.SeriesNumber}-{image.InstanceNumber}'))
    path.unlink()
  found, unused = attached(root, file)
  assert used(found) == [(0, 'slice-00'), (0, 'slice-01')]
  np.testing.assert_allclose(found[0, 'slice-00'][1].drawn.endo, curves()[1][0], atol=1e-7)
  assert len(unused) == 1
  assert 'cine 1: not used: the contours were drawn on pictures with fingerprint' in unused[0]


def test_each_file_goes_to_its_study_and_never_to_both(scans, tmp_path):
  """Case S1: two studies in one folder; by fingerprint, and without by the wall that is there."""
  marked = by_hand(tmp_path / 'marked.nc', IDS, curves(), marks=prints(scans / 'one'))
  plain = by_hand(tmp_path / 'plain.nc', SERIES, curves(1))
  found, unused = attached(scans, marked, plain)
  assert unused == []
  people = {number: found[number, IDS[0]][1].instances[0].parent.name for number in (0, 1)}
  for (number, name), (_, source) in found.items():
    expected = curves(('one', 'two').index(people[number]))[IDS.index(name)]
    np.testing.assert_allclose(source.drawn.endo, expected[0], atol=1e-7)


def test_contours_that_fit_two_studies_are_nobodys(scans, tmp_path):
  file = by_hand(tmp_path / 'a.nc', SERIES, curves())
  found, unused = attached(scans, file, trusted=True)
  assert used(found) == []
  assert len(unused) == 1
  assert 'the contours fit 2 studies' in unused[0]


def test_two_files_for_one_slice_or_of_two_minds_are_refused(scans, tmp_path):
  one, other = (by_hand(tmp_path / f'{name}.nc', SERIES, curves()) for name in 'ab')
  found, unused = attached(scans / 'one', one, other)
  assert used(found) == []
  assert 'a.nc, b.nc, : not used: 2 contours for slice slice-00' in unused[0]
  base = by_hand(tmp_path / 'c.nc', SERIES[:1], curves()[:1], signs=(1, 1, -1))
  rest = by_hand(tmp_path / 'd.nc', SERIES[1:], curves()[1:])
  found, unused = attached(scans / 'one', base, rest)
  assert used(found) == []
  assert 'contradict each other' in unused[0]
  assert 'signs +1, +1, -1, ' in unused[0]


@pytest.mark.parametrize('wrong', ['swapped', 'crossing'])
def test_one_frame_that_is_no_wall_is_refused_by_its_number_even_with_force(scans, tmp_path, wrong):
  sides = curves()
  if wrong == 'swapped':
    sides[1][:, 4] = sides[1][::-1, 4]
  else:
    sides[1][0, 4, 90:271] = sides[1][0, 4, 90:271][::-1]
  file = by_hand(tmp_path / 'a.nc', SERIES, sides)
  for trusted in (False, True):
    found, unused = attached(scans / 'one', file, trusted=trusted)
    assert used(found) == [(0, IDS[0]), (0, IDS[2])]
    (rule,) = unused
    assert 'cine 2: not used: frame 4: the endocardium' in rule


def test_contours_of_a_study_that_cannot_be_read_are_not_blamed(scans, tmp_path):
  root = shutil.copytree(scans / 'one', tmp_path / 'torn')
  by_hand(root / 'a.nc', SERIES, curves())
  next(path for path in sorted(root.iterdir()) if path.suffix != '.nc').unlink()
  with pytest.raises(MalformedStudy) as error:
    open_studies(root)
  assert 'fit no slice' not in str(error.value)


def test_a_gap_is_named_and_stays_a_gap(scans, tmp_path):
  """Cases S5 and S10: what is drawn is done, the frame named, and StrainMap resumes there."""
  sides = curves()
  sides[1][:, 3] = np.nan
  file = by_hand(tmp_path / 'a.nc', SERIES, sides, septum=(30.0, 40.0))
  found, unused = attached(scans / 'one', file)
  assert unused == []
  cine, source = found[0, IDS[1]]
  assert cine.annotated.tolist() == [True] * 3 + [False] + [True] * 4
  assert not cine.mask[3].any()
  one = examine(cine, source, [], Options())
  (gap,) = [check for check in one.checks if check.name == 'drawn contours']
  assert gap.reason == 'frame 3 of 8: not drawn; --carry carries contours there'
  assert np.isnan(one.result.motion.curves['global'][0, 3]).all()
  assert np.isfinite(one.result.motion.curves['global'][0, [2, 4]]).all()
  assert {check.status for check in one.checks if check.name == 'contours'} == {'warn'}
  write_results(tmp_path / 'out', 'anon', [one.result])
  for group in ('centroid', 'septum'):
    with xr.open_dataset(tmp_path / 'out' / 'anon.nc', group=group, engine='h5netcdf') as data:
      missing = np.isnan(data[group].values[0]).all(-1)
    assert missing.tolist() == [False] * 3 + [True] + [False] * 4
  with pytest.raises(UserError, match='kept as drawn'):
    examine(cine, source, [], Options(Settings(smooth_contours=1.0)))


def test_a_gap_is_carried_when_asked_and_said(scans, tmp_path):
  sides = curves()
  sides[1][:, 3] = np.nan
  found, _ = attached(scans / 'one', by_hand(tmp_path / 'a.nc', SERIES, sides, septum=(30.0, 40.0)))
  cine, source = found[0, IDS[1]]
  one = examine(cine, source, [], Options(carry=True))
  (said,) = [check for check in one.checks if check.name == 'carried contours']
  assert said.status == 'warn'
  assert 'frames 0, 1, 2' in said.reason
  assert 'were drawn; the contours of the other frame were made from them by the measured velocity' in said.reason
  found = one.result.motion.contours
  kept = np.arange(len(found.failed)) != 3
  np.testing.assert_array_equal(found.endo[kept], source.drawn.endo[kept])
  assert found.flags[3] == CARRIED
  assert (found.made, one.holds_ventricle) == ('SEMIAUTOMATIC', True)
  assert np.isfinite(one.result.motion.curves['global']).all()
  assert np.isnan(one.page.reference.curves['global'][0, 3]).all()  # beside them what was drawn
  assert one.page.made == '7 frames of a file that does not say who drew them, 1 followed'

  write_results(tmp_path / 'out', 'anon', [one.result])
  back, _ = attached(scans / 'one', tmp_path / 'out' / 'anon.nc')
  again = examine(*back[0, IDS[1]], [], Options())
  assert again.checks == one.checks  # the standard error of what was carried too
  assert again.page.made == one.page.made

  with h5py.File(tmp_path / 'out' / 'anon.nc', 'a') as h5:  # a version that did not write how sure they are
    told = json.loads(h5.attrs['ear_jax: cines'])
    told['cines'][IDS[1]]['error'] = []
    h5.attrs['ear_jax: cines'] = json.dumps(told)
  back, _ = attached(scans / 'one', tmp_path / 'out' / 'anon.nc')
  (said,) = [check for check in examine(*back[0, IDS[1]], [], Options()).checks if check.name == 'carried contours']
  assert 'what error that adds is not known: the file of the contours does not say it' in said.reason


def test_frames_that_were_changed_in_strainmap_are_by_hand_and_the_others_are_not(scans, tmp_path):
  whole = (('network',) * 8, ('ear3d-x: ear3d, step 1, trained on phantoms',))
  marks = [dataclasses.replace(m, drawn=False, origins=whole[0], networks=whole[1]) for m in prints(scans / 'one')]
  file = by_hand(tmp_path / 'a.nc', IDS, curves(), marks=marks)

  def told():
    found, unused = attached(scans / 'one', file)
    assert unused == []
    return [in_words([found[0, name][1].drawn]) for name in IDS]

  assert told() == ['network ear3d-x, untouched'] * 3
  with h5py.File(file, 'a') as h5:  # packed anew, as a program that saves does: no number changes by a millionth
    stored = h5['segments/segments']
    codes, scale = stored[()].astype(float), stored.attrs['scale_factor']
    stored[...] = np.where(codes == -(2**31), codes, np.rint(codes / 1.7)).astype(np.int32)
    stored.attrs['scale_factor'] = scale * 1.7
  assert told() == ['network ear3d-x, untouched'] * 3
  with h5py.File(file, 'a') as h5:
    stored = h5['segments/segments']
    stored[1, 0, 4, 0, 20:40] += round(0.3 / stored.attrs['scale_factor'].item())  # px
  touched = '1 frame by hand, 7 of the network, untouched; begun with network ear3d-x'
  assert told() == ['network ear3d-x, untouched', touched, 'network ear3d-x, untouched']
  two = dataclasses.replace(attached(scans / 'one', file)[0][0, IDS[1]][1].drawn, networks=('a', 'b'))
  assert in_words([two]) == '1 frame by hand, 7 of the networks, untouched; begun with networks a and b'


def test_a_slice_without_contours_in_our_own_file_is_no_fault(scans, tmp_path):
  sides = curves()
  sides[2][:] = np.nan  # as of a slice beyond the apex
  file = by_hand(tmp_path / 'a.nc', IDS, sides, marks=prints(scans / 'one'))
  found, unused = attached(scans / 'one', file)
  assert (used(found), unused) == ([(0, IDS[0]), (0, IDS[1])], [])


def test_contours_of_another_study_are_one_sentence(scans, tmp_path):
  file = by_hand(tmp_path / 'a.nc', IDS, curves(), marks=prints(scans / 'one'))
  found, unused = attached(scans / 'two', file)
  assert used(found) == []
  (rule,) = unused
  assert 'a.nc, : not used: none of its 3 cines is of a slice here (cine 1: the contours were drawn on' in rule


def test_a_folder_gives_the_contours_of_people_and_passes_over_a_networks(scans, tmp_path):
  by_hand(tmp_path / 'person.nc', SERIES, curves())
  by_hand(tmp_path / 'network.nc', IDS, curves(), marks=[dataclasses.replace(m, drawn=False) for m in prints(scans)])
  corrected = by_hand(
    tmp_path / 'corrected.nc', IDS, curves(), marks=[dataclasses.replace(m, drawn=False) for m in prints(scans)]
  )
  with h5py.File(corrected, 'a') as h5:  # StrainMap saves into the file that it opened
    h5['segments/segments'][0, 0, 0, 0, 0] += round(0.1 / h5['segments/segments'].attrs['scale_factor'].item())  # px
  (tmp_path / 'results').mkdir()
  (tmp_path / 'results' / 'summary.json').touch()
  by_hand(tmp_path / 'results' / 'old.nc', IDS, curves())
  (tmp_path / 'torn.nc').write_text('no')
  shutil.copy(tmp_path / 'person.nc', tmp_path / '._person.nc')
  shutil.copy(tmp_path / 'person.nc', tmp_path / 'a_1_2_train.nc')
  drawn, faults = references.find(tmp_path)
  assert [(one.file, one.called) for one in drawn] == [
    ('corrected.nc', 'cine 1'),
    *(('person.nc', f'cine {number}') for number in (1, 2, 3)),
  ]
  assert [fault.file for fault in faults] == ['torn.nc']
  assert len(references.find(tmp_path / 'network.nc').drawn) == 3  # who names the file means it


def test_a_fingerprint_is_of_the_pixels_alone(make_cine):
  cine = make_cine()
  same = cine.replace(subject='b', dataset='b-1', slice_id='x', spacing=(1.0, 1.0), frame_interval=1.0)
  assert strainmap_marks.fingerprint(same) == strainmap_marks.fingerprint(cine)
  video = cine.video.copy()
  video[0, 3, 4, 0] += 1
  assert strainmap_marks.fingerprint(cine.replace(video=video)) != strainmap_marks.fingerprint(cine)


def test_our_own_marks_are_of_no_name_that_strainmap_keeps(scans, tmp_path):
  """On load StrainMap keeps the attributes whose names are identifiers."""
  file = by_hand(tmp_path / 'a.nc', IDS, curves(), marks=prints(scans / 'one'))
  with h5py.File(file) as h5:
    assert {name for name in h5.attrs if name.isidentifier()} == {'_NCProperties', 'orientation', 'timeshift'}
    assert set(h5) == {'segments', 'sign_reversal'}


@pytest.mark.parametrize('text', ['{', '[]', '{"contours": 1, "cines": {"slice-00": 3}}', 'x' * 2_000_000])
def test_marks_that_cannot_be_read_are_none(scans, tmp_path, text):
  file = by_hand(tmp_path / 'a.nc', IDS, curves())
  with h5py.File(file, 'a') as h5:
    h5.attrs.create('ear_jax: cines', text[:60_000])
    assert strainmap_marks.read(h5) == {}


def texts(folder, images, sides, by='manual'):
  """Writes the challenge's files of frames `{number: (endo, epi)}`, or `(endo,)`."""
  folder.mkdir(parents=True, exist_ok=True)
  for number, pair in sides.items():
    for side, points in zip('io', pair, strict=False):
      lines = [f'{column + 1:.6f} {row + 1:.6f}' for row, column in points]
      (folder / f'IM-0001-{images + number:04d}-{side}contour-{by}.txt').write_text('\n'.join(lines))


@pytest.mark.parametrize('trusted', [False, True], ids=['by wall and folder', 'by folder alone'])
def test_sparse_text_contours_go_to_the_folder_of_their_patient(tmp_path, write_dicom, trusted):
  """Two patients whose pictures have the same numbers; two frames are drawn, and the cavity of a third."""
  folder, expected = tmp_path / 'set', {}
  for index, name in enumerate(('SC-HF-I-1', 'SC-HF-I-2')):
    (cine, *_), (pair, *_) = [study.render(plan) for plan in person(index)[:1]], curves(index)
    for t in range(8):
      pixels = np.rint(cine.video[t, ..., 0])
      uid = {'StudyInstanceUID': f'1.2.{index + 1}', 'SeriesInstanceUID': f'1.2.{index + 1}.1'}
      path = folder / 'images' / name / f'IM-0001-{t + 1:04d}.dcm'
      write_dicom(path, pixels, trigger=20.0 + 40 * t, instance=t + 1, PixelSpacing=[2, 2], **uid)
    texts(
      folder / 'contours' / name.replace('I-', 'I-0') / 'IRCCI-expert',
      1,
      {t: pair[: 1 + (t != 5), t] for t in (0, 3, 5)},
    )
    expected[name] = pair
  found, unused = attached(folder, folder, trusted=trusted)
  assert unused == []
  assert len(found) == 2
  for cine, source in found.values():
    endo, _ = expected[source.instances[0].parent.name]
    assert np.flatnonzero(cine.annotated).tolist() == [0, 3]
    away = np.linalg.norm(source.drawn.endo[3][:, None] - endo[3], axis=-1).min(1)
    assert away.max() < 0.3  # on the polygon: half a chord from the next point of it at most
    assert source.drawn.failed.tolist() == [t not in (0, 3) for t in range(8)]
    assert [*source.cavities] == [5]
    np.testing.assert_allclose(source.cavities[5], endo[5], atol=1e-5)


@pytest.mark.parametrize('wrong', ['aside', 'swapped'])
def test_text_contours_aside_of_the_wall_are_noted_and_swapped_ones_refused(tmp_path, write_dicom, wrong):
  (cine, *_), (pair, *_) = [study.render(plan) for plan in person(0)[:1]], curves()
  for t in range(8):
    path, pixels = tmp_path / f'IM-0001-{t + 1:04d}.dcm', np.rint(cine.video[t, ..., 0])
    uid = {'StudyInstanceUID': '1.2.1', 'SeriesInstanceUID': '1.2.1.1', 'SOPInstanceUID': f'1.2.1.1.{t}'}
    write_dicom(path, pixels, trigger=20.0 + 40 * t, instance=t + 1, PixelSpacing=[2, 2], **uid)
  drawn = pair[:, 0] + (3, 4) if wrong == 'aside' else pair[::-1, 0]
  texts(tmp_path, 1, {0: drawn})
  opened, *unused = open_studies(tmp_path)
  if wrong == 'aside':
    assert unused == []
    assert opened[0].annotated.tolist() == [True] + [False] * 7
    (note,) = [note for note in opened.notes if 'wall' in note]
    assert re.match(
      r'slice-00: the contours may not lie on a wall: .* \(\w+ 0\.\d+, fails below 0\.\d+\); they are', note
    )
  else:
    assert not opened[0].annotated.any()
    assert 'is not within the epicardium' in unused[0].faults[0].rule


def test_text_contours_without_their_other_side_or_picture_are_said(tmp_path, write_dicom):
  (tmp_path / 'IM-0001-0002-ocontour-manual.txt').write_text('1 1\n5 1\n5 5')
  (tmp_path / 'IM-0001-0003-icontour-manual.txt').write_text('1 1\n5 x\n5 5')
  _, faults = references.find(tmp_path)
  assert [(fault.file[8:13], fault.rule.partition(':')[0]) for fault in faults] == [
    ('0002-', 'epicardium without endocardium'),
    ('0003-', 'not a contour'),
  ]


@pytest.mark.skipif(not os.environ.get('SUNNYBROOK_DIR'), reason='SUNNYBROOK_DIR does not name the data')
def test_text_contours_of_another_patient_are_refused_though_their_numbers_fit():
  root = pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine'
  found, unused = attached(root / 'images/SC-HF-I-2', root / 'contours/SC-HF-I-4')
  assert not any(cine.annotated.any() for cine, _ in found.values())
  assert len(unused) == 1
  assert re.search(r': not used: \d+ of 10 lie on no wall of study-\w+: are they of another study\?$', unused[0])


@pytest.mark.skipif(not os.environ.get('SUNNYBROOK_DIR'), reason='SUNNYBROOK_DIR does not name the data')
def test_expert_contours_of_sunnybrook_come_to_the_slices_that_its_own_reader_gives_them():
  root = pathlib.Path(os.environ['SUNNYBROOK_DIR']) / 'cine'
  found, unused = attached(root, root)
  expected = list(sunnybrook_cine.read_cines(root))
  assert unused == []
  drawn = [cine for cine, source in found.values() if source.drawn is not None]
  assert len(drawn) == len(expected)
  for cine in drawn:
    (own,) = [one for one in expected if np.array_equal(one.video, cine.video)]
    np.testing.assert_array_equal(cine.annotated, own.annotated)
    assert (cine.mask != own.mask).sum() <= 1  # within the endocardium alone, where it leaves the epicardium


def test_an_estimated_septum_is_read_back_as_one_until_somebody_moves_it(scans, tmp_path):
  found, _ = attached(scans / 'one', by_hand(tmp_path / 'a.nc', SERIES, curves()))
  results = [examine(cine, source, [], Options()).result for cine, source in found.values()]
  file = tmp_path / 'out' / 'anon.nc'
  write_results(file.parent, 'anon', results)
  told = [references.septum_of(one) for one in references.find(file).drawn]
  assert {septum.certain for septum in told} == {False}
  assert [septum.origin for septum in told] == [one.motion.septal_reference.origin for one in results]
  assert told[0].origin.startswith('estimated from how the slice lies')
  np.testing.assert_allclose(told[1].where, results[1].motion.septum, atol=1e-6)

  old = tmp_path / 'old.nc'  # as versions wrote it that did not say
  shutil.copy(file, old)
  with h5py.File(old, 'a') as h5:
    stated = json.loads(h5.attrs['ear_jax: cines'])
    stated['contours'] = strainmap_marks._digest(h5, 'segments')
    for one in stated['cines'].values():
      for name in ('septum', 'septum_stated', 'septum_sum', 'sums', 'origins', 'networks', 'error'):
        del one[name]
    h5.attrs['ear_jax: cines'] = json.dumps(stated)
  unsaid = [references.septum_of(one) for one in references.find(old).drawn]
  assert {(septum.certain, 'not said' in septum.origin) for septum in unsaid} == {(False, True)}

  with h5py.File(file, 'a') as h5:  # StrainMap saves into the file that it opened
    h5['septum/septum'][...] += round(0.1 / h5['septum/septum'].attrs['scale_factor'].item())  # px
  moved = [references.septum_of(one) for one in references.find(file).drawn]
  assert {(septum.certain, septum.origin) for septum in moved} == {(True, 'the septal point in the file')}
