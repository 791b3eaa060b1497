"""The local server, as a browser and as an attacker meet it; what it saves is read back."""

import html
import json
import re
import threading

import numpy as np
import pytest
from editing import NETWORK, TOKEN, Browser, by_place, dice, gesture, serving, some_slices
from rich.console import Console

from ear_jax.analysis.checks_of_study import Check
from ear_jax.analysis.motion import Settings
from ear_jax.editor.begin import begin
from ear_jax.editor.follow import Box
from ear_jax.editor.studies import Study
from ear_jax.formats import folder, references
from ear_jax.formats.choices import Choices
from ear_jax.formats.open import open_studies
from ear_jax.system.errors import UserError
from ear_jax.workflows.examine import Options
from ear_jax.workflows.make_phantom import make_phantom
from ear_jax.workflows.predict import predict

SLICE = '/api/study/0/slice/0'  # mid; the other one, the apex, stays as it was


@pytest.fixture(scope='module')
def study(phantom, tmp_path_factory):
  """`make(output=None)`: the phantom's study with planted faults, to be edited."""

  def make(output=None, blind=''):
    (opened,) = open_studies(phantom.folder)
    opened = some_slices(opened, slice(1, 3))
    output = output or tmp_path_factory.mktemp('output')
    return Study(opened, output / opened.dataset, [], Options(), by_place(phantom.bases[1:]), blind)

  return make


@pytest.fixture(scope='module')
def edited(phantom, study):
  """A browser of a server, its study, and the state of the first slice after one gesture."""
  one = study()
  with serving([one]) as browser:
    assert browser.get('/api/study/0')[0] == 200
    assert browser.post(f'{SLICE}/edit', {'version': 0, **gesture(phantom.truths[1], [3])})[0] == 200
    yield browser, one, browser.get(SLICE)[1]


def test_the_page_finds_everything(edited, phantom):
  browser, one, state = edited
  listed = browser.get('/api/list')[1]
  assert listed['person'] == 'anna'
  assert [(s['index'], s['state'], s['slices'], s['corrected_frames']) for s in listed['studies']] == [
    (0, 'begun', 2, 1)
  ]
  known = browser.get('/api/study/0')[1]
  assert known['name'] == one.name
  assert [(s['frames'], s['rows'], s['columns'], s['networks']) for s in known['slices']] == [(16, 96, 96, 1)] * 2
  assert browser.get('/api/study/0/progress')[1] == {'doing': None, 'share': 0.0}
  assert browser.get(SLICE)[1] == state
  for place in known['slices'][0]['views'].values():
    status, headers, picture = browser.ask('GET', place)
    assert (status, headers['content-type'], picture[:4]) == (200, 'image/png', b'\x89PNG')
  assert browser.ask('GET', '/')[1]['content-type'].startswith('text/html')
  assert browser.post('/api/study/0/done', {'done': True})[0] == 200
  assert browser.get('/api/list')[1]['studies'][0]['state'] == 'done'
  assert browser.post('/api/study/0/done', {'done': False})[0] == 200


def test_two_windows_on_one_study_are_told(edited, phantom):
  browser, _, state = edited
  late = Browser(browser.port)
  version = late.get(SLICE)[1]['version']
  sent = {'version': version, **gesture(phantom.truths[1], [3, 4])}
  answers = []
  threads = [threading.Thread(target=lambda: answers.append(browser.post(f'{SLICE}/edit', sent))) for _ in range(2)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert sorted(status for status, _ in answers) == [200, 409]
  assert 'another window' in next(body for status, body in answers if status == 409)['error']
  assert late.post(f'{SLICE}/undo', {'version': version})[0] == 409
  assert late.post(f'{SLICE}/undo', {'version': version + 1})[1]['frames'] == state['frames']


def test_a_second_process_is_refused_and_nothing_of_it_is_told_of_the_folder(edited, study):
  _, one, _ = edited
  with serving([study(one.folder.parent)]) as second:
    status, said = second.get('/api/study/0')
  assert (status, said) == (422, {'error': f'{one.name} is open in another editor: close that one first'})


def test_saved_results_are_read_back_by_predict_and_by_the_data_set(edited, phantom, tmp_path):
  browser, one, _ = edited
  status, saved = browser.post('/api/study/0/save', {})
  assert (status, saved['folder']) == (200, f'{one.name}, in the folder given by --output')  # it may hold a name
  assert {'report.html', 'edits.json', f'{one.name}.nc', f'{one.slices[0].slice_id}_mask.nii.gz', 'seg'} <= set(
    saved['files']
  )
  told = json.loads((one.folder / 'edits.json').read_text())
  assert told['persons'] == ['anna']
  assert [s['by_hand'] for s in told['slices']] == [[3], []]
  assert told['slices'][0]['followed'] == [t for t in range(16) if t != 3]
  assert [s['made'] for s in told['slices']] == ['SEMIAUTOMATIC', 'AUTOMATIC']
  kept = [s.view().followed.contours for s in one.slices]

  drawn, faults = references.find(one.folder / f'{one.name}.nc')  # as predict --contours does
  assert not faults
  (opened,), unused = references.attach(open_studies(phantom.folder), drawn)
  assert not unused
  read = [source.drawn for _, source in opened.read(slice(1, 3))]
  for found, own in zip(read, kept, strict=True):
    np.testing.assert_allclose(found.endo, own.endo, atol=1e-4)
    np.testing.assert_allclose(found.epi, own.epi, atol=1e-4)
  assert [one.made for one in read] == ['SEMIAUTOMATIC', 'AUTOMATIC']

  root = tmp_path / 'cohort'  # the study and its results, as tfds build takes them
  root.mkdir()
  (root / 'scan').symlink_to(phantom.folder)
  (root / 'results').symlink_to(one.folder)
  ((cine, _),) = folder.read(root, referenced=True)
  assert cine.slice_id == one.slices[0].slice_id
  assert cine.annotated.all()
  assert dice(kept[0], cine.mask).min() > 0.995
  ((cine, _),) = folder.read(root, referenced=True, choices=Choices(followed='leave'))
  assert np.flatnonzero(cine.annotated).tolist() == [3]


MADE = ['1 frame by hand, 15 followed; begun with network ear3d-phantom', 'network ear3d-phantom, untouched']


def told(checks):
  """What the gate says, but for conventions that only a file of contours states."""
  conventions = ('velocity signs', 'order of sectors')
  return sorted((c.name, c.slice_id, c.status, c.reason) for c in checks if c.name not in conventions)


def test_the_verdict_is_one_in_the_header_in_the_results_and_when_they_are_read_back(edited, phantom, tmp_path):
  browser, one, _ = edited
  shown = browser.get('/api/study/0')[1]
  assert browser.post('/api/study/0/save', {})[1]['verdict'] == shown['verdict'] == 'warn'
  saved = json.loads((one.folder / 'summary.json').read_text())
  header = [Check(c['check'], c['slice'], c['status'], c['detail']) for c in shown['checks']]
  assert told(header) == told(Check(**check) for check in saved['checks'])
  (carried,) = [check for check in header if check.name == 'carried contours']
  assert carried.reason.startswith(
    'frame 3 was drawn; the contours of the other 15 frames were made from it by the measured velocity and the '
    'pictures, averaged with those of the network (if what was drawn is right, that adds a standard error of 0.'
  )
  assert [entry['contours'] for entry in saved['slices']] == MADE
  assert saved['versions']['network 1'] == NETWORK
  assert saved['versions']['edited by'] == 'anna'
  page = html.unescape((one.folder / 'report.html').read_text())
  assert f'Network 1: {NETWORK}</span>' in page
  assert [made in page for made in MADE] == [True, True]
  drawn, _ = references.find(one.folder / f'{one.name}.nc')
  (opened,), _ = references.attach(open_studies(phantom.folder), drawn)
  again = predict(some_slices(opened, slice(1, 3)), tmp_path / 'again', [], console=Console(quiet=True))
  assert told(Check(**check) for check in again['checks']) == told(header)
  assert [entry['contours'] for entry in again['slices']] == MADE
  assert again['versions']['network 1'] == NETWORK
  (begun,), _ = begin(phantom.folder, tmp_path / 'begun', results=one.folder)  # and in an editor that begins with them
  begun.opened = some_slices(begun.opened, slice(1, 3))
  with serving([begun]) as other:
    shown = other.get('/api/study/0')[1]
    assert told(Check(c['check'], c['slice'], c['status'], c['detail']) for c in shown['checks']) == told(header)
    assert other.post('/api/study/0/save', {})[0] == 200
  saved = json.loads((begun.folder / 'summary.json').read_text())
  assert [entry['contours'] for entry in saved['slices']] == MADE
  (septum, *_) = [check for check in again['checks'] if check['name'] == 'septal reference']
  assert septum['status'] == 'warn'  # nobody has set it; it was estimated before the round trip, and is so after it
  assert septum['reason'].startswith('estimated')

  browser.post(f'{SLICE}/edit', {'version': one.slices[0].version, 'what': 'septum', 'septum': [40.0, 60.0]})
  browser.post('/api/study/0/done', {'done': True})  # what nobody touched is agreed to
  agreed = browser.get('/api/study/0')[1]
  browser.post('/api/study/0/save', {})
  saved = json.loads((one.folder / 'summary.json').read_text())
  assert agreed['verdict'] == saved['verdict']
  assert saved['slices'][1]['contours'] == '16 frames agreed to; begun with network ear3d-phantom'
  assert sorted(c['detail'] for c in agreed['checks']) == sorted(check['reason'] for check in saved['checks'])
  drawn, _ = references.find(one.folder / f'{one.name}.nc')
  (opened,), _ = references.attach(open_studies(phantom.folder), drawn)
  septa = [source.septum for _, source in opened.read(slice(1, 3))]
  assert [(s.certain, s.origin.partition(' ')[0]) for s in septa] == [(True, 'set'), (False, 'estimated')]
  np.testing.assert_allclose(septa[0].where, np.tile([40.0, 60.0], (16, 1)), atol=1e-4)
  browser.post('/api/study/0/done', {'done': False})
  browser.post(f'{SLICE}/undo', {'version': one.slices[0].version})


def test_the_page_of_results_opens_from_the_editor_and_may_run_its_own_script_alone(edited):
  browser, one, _ = edited
  browser.post('/api/study/0/save', {})
  status, headers, page = browser.ask('GET', '/study/0/report.html')
  assert (status, headers['content-type']) == (200, 'text/html; charset=utf-8')
  assert page == (one.folder / 'report.html').read_bytes()
  rules = headers['content-security-policy']
  own = re.search('Content-Security-Policy" content="([^"]*)"', page.decode())[1]
  assert rules == html.unescape(own) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  assert rules.startswith("default-src 'none'; img-src data:; script-src 'sha256-")
  assert 'self' not in rules
  assert 'unsafe' not in rules
  status, headers, data = browser.ask('GET', '/study/0/edits.json')
  assert (status, json.loads(data)['study']) == (200, one.name)
  assert headers['content-security-policy'].endswith("frame-ancestors 'none'")
  assert headers['x-content-type-options'] == 'nosniff'


def test_a_slice_shows_the_whole_picture_when_it_is_asked(edited):
  browser, one, _ = edited
  before = browser.get(SLICE)[1]
  one.slices[0].box, whole = Box(10, 10, 70, 70), (0, 0, 96, 96)  # as of a larger picture
  assert browser.post(f'{SLICE}/whole', {})[1]['slices'][0]['box'] == list(whole)
  assert browser.get(SLICE)[1] == before


def test_what_predict_is_told_of_a_study_the_editor_is_told_too(phantom, tmp_path):
  turned = Options(Settings(signs=(-1, 1, 1)), auto_signs=False, septum_angle=0.0)
  (one,), _ = begin(phantom.folder, tmp_path, options=turned, choices=Choices(trusted=True))
  one.opened = some_slices(one.opened, slice(1, 2))
  with serving([one]) as browser:
    browser.get('/api/study/0')
    motion = one.slices[0].view().motion
    assert motion.settings.signs == (-1, 1, 1)
    assert motion.septal_reference.origin == 'stated: 0 deg'
    assert one.force
  with pytest.raises(UserError, match=r'^--es_frame=16: \S+ has frames 0 to 15: give one of these$'):
    begin(phantom.folder, tmp_path / 'other', options=Options(es_frame=16))


def test_an_editor_begins_with_results(edited, phantom, tmp_path):
  _, one, _ = edited
  (begun,), faults = begin(phantom.folder, tmp_path, results=one.folder)
  assert not faults
  begun.opened = some_slices(begun.opened, slice(1, 2))
  with serving([begun]) as browser:
    found = browser.get('/api/study/0')[1]
    assert found['slices'][0]['made'] == 'results'
    assert {frame['origin'] for frame in browser.get(SLICE)[1]['frames']} == {'network'}
  with pytest.raises(UserError, match='no contours that ear_jax wrote'):
    begin(phantom.folder, tmp_path, results=tmp_path)
  make_phantom(tmp_path / 'other', size='mini', seed=9)
  with pytest.raises(UserError, match='of other pictures than the study'):
    begin(tmp_path / 'other', tmp_path, results=one.folder)


EDIT = {'version': 0, 'what': 'handle'}
RING = [[48.0, 48.0]] * 32
INFINITE = b'{"version":0,"what":"draw","frames":{"0":{"endo":[' + b'[1e999,0],' * 8 + b'[0,0]],"epi":[]}}}'


def drawn(endo):
  return EDIT | {'frames': {'0': {'endo': endo, 'epi': RING}}}


HOSTILE = [
  ('no token', 'GET', SLICE, None, {'Cookie': None}, 403),
  ('no token for the page', 'GET', '/', None, {'Cookie': None}, 403),
  ('no token for a script', 'GET', '/static/main.js', None, {'Cookie': None}, 403),
  ('a wrong cookie', 'GET', SLICE, None, {'Cookie': 'ear_jax_00000000=x'}, 403),
  ('a wrong token', 'GET', '/?token=wrong', None, {'Cookie': None}, 403),
  ('an empty token', 'GET', '/?token=', None, {'Cookie': None}, 403),
  ('two tokens', 'GET', f'/?token={TOKEN}&token=x', None, {'Cookie': None}, 403),
  ('the token at another address', 'GET', f'/api/list?token={TOKEN}', None, {'Cookie': None}, 403),
  ('a name that points here', 'GET', SLICE, None, {'Host': 'evil.example:80'}, 403),
  ('a name that begins like ours', 'GET', SLICE, None, {'Host': '127.0.0.1.evil.example'}, 403),
  ('an address of all', 'GET', SLICE, None, {'Host': '0.0.0.0'}, 403),
  ('an origin of another site', 'POST', f'{SLICE}/undo', {'version': 0}, {'Origin': 'http://evil.example'}, 403),
  ('an origin of another port', 'POST', f'{SLICE}/undo', {'version': 0}, {'Origin': 'http://127.0.0.1:1'}, 403),
  ('an origin of a file', 'POST', f'{SLICE}/undo', {'version': 0}, {'Origin': 'null'}, 403),
  ('a picture on another site', 'GET', f'{SLICE}/view/magnitude.png', None, {'Sec-Fetch-Site': 'cross-site'}, 403),
  ('a form', 'POST', f'{SLICE}/undo', b'version=0', {'Content-Type': 'application/x-www-form-urlencoded'}, 415),
  ('text', 'POST', f'{SLICE}/undo', b'{"version": 0}', {'Content-Type': 'text/plain'}, 415),
  ('a way out', 'GET', '/static/../edit.py', None, {}, 404),
  ('a hidden way out', 'GET', '/static/..%2f..%2fedit.py', None, {}, 404),
  ('a way out of the root', 'GET', '/..%2f..%2fetc%2fpasswd', None, {}, 404),
  ('a way out by a view', 'GET', f'{SLICE}/view/..%2f..%2fmagnitude.png', None, {}, 404),
  ('a study that is not there', 'GET', '/api/study/7', None, {}, 404),
  ('a study before the first', 'GET', '/api/study/-1', None, {}, 404),
  ('a slice with a huge number', 'GET', '/api/study/0/slice/' + '9' * 400, None, {}, 404),
  ('a view that is not there', 'GET', f'{SLICE}/view/secret.png', None, {}, 404),
  ('a POST of what is read', 'POST', '/api/list', {}, {}, 405),
  ('a GET of what is written', 'GET', f'{SLICE}/undo', None, {}, 405),
  ('DELETE', 'DELETE', SLICE, None, {}, 405),
  ('a question before the question', 'OPTIONS', f'{SLICE}/edit', None, {'Origin': 'http://evil.example'}, 403),
  ('no JSON', 'POST', f'{SLICE}/undo', b'{"version": ', {}, 400),
  ('a list', 'POST', f'{SLICE}/undo', [0], {}, 400),
  ('JSON without a bottom', 'POST', f'{SLICE}/undo', b'[' * 200_000, {}, 400),
  ('no number', 'POST', f'{SLICE}/undo', b'{"version": NaN}', {}, 400),
  ('a huge number', 'POST', f'{SLICE}/undo', b'{"version": ' + b'9' * 10_000 + b'}', {}, 400),
  ('a number beyond', 'POST', f'{SLICE}/undo', b'{"version": 1e999}', {}, 400),
  ('a version that is none', 'POST', f'{SLICE}/undo', {'version': True}, {}, 400),
  ('a field that nobody knows', 'POST', f'{SLICE}/undo', {'version': 0, 'path': '/etc'}, {}, 400),
  ('too large', 'POST', f'{SLICE}/edit', b' ' * (2**20 + 1), {}, 413),
  ('too large, it says', 'POST', f'{SLICE}/edit', b'{}', {'Content-Length': '99999999999'}, 413),
  ('points of infinity', 'POST', f'{SLICE}/edit', INFINITE, {}, 422),
  ('too few points', 'POST', f'{SLICE}/edit', drawn(RING[:3]), {}, 422),
  ('too many points', 'POST', f'{SLICE}/edit', drawn(RING * 12), {}, 422),
  ('points of three', 'POST', f'{SLICE}/edit', drawn([[1, 2, 3]] * 32), {}, 400),
  ('points of words', 'POST', f'{SLICE}/edit', drawn([['1', '2']] * 32), {}, 422),
  ('a side nobody knows', 'POST', f'{SLICE}/edit', EDIT | {'frames': {'0': {'endo': RING, 'rv': RING}}}, {}, 400),
  ('no side', 'POST', f'{SLICE}/edit', EDIT | {'frames': {'0': {}}}, {}, 400),
  ('other sides', 'POST', f'{SLICE}/edit', EDIT | {'frames': {'0': {'endo': RING}, '1': {'epi': RING}}}, {}, 400),
  ('a way out by results', 'GET', '/study/0/..%2f..%2fscan', None, {}, 404),
  ('a log as a result', 'GET', '/study/0/edits', None, {}, 404),
  ('results without a token', 'GET', '/study/0/report.html', None, {'Cookie': None}, 403),
  ('a frame with a name', 'POST', f'{SLICE}/edit', EDIT | {'frames': {'../0': {'endo': RING, 'epi': RING}}}, {}, 400),
  ('no frames', 'POST', f'{SLICE}/edit', EDIT | {'frames': {}}, {}, 400),
  ('a gesture that nobody knows', 'POST', f'{SLICE}/edit', {'version': 0, 'what': 'undo'}, {}, 400),
]  # fmt: skip


def test_hostile_requests_are_refused_in_a_sentence_and_leave_no_trace(edited):
  browser, one, _ = edited
  before = {path: path.read_bytes() for path in one.edits.iterdir()}
  found = {}
  for what, method, path, body, headers, _ in HOSTILE:
    status, answered, data = browser.ask(method, path, body, **headers)
    found[what] = status
    assert set(json.loads(data)) == {'error'}, what
    assert 'set-cookie' not in answered
    assert 'access-control-allow-origin' not in answered
    assert answered['content-security-policy'].startswith("default-src 'none'")
    assert TOKEN not in data.decode()
  assert found == {what: status for what, *_, status in HOSTILE}
  assert len(found) == len(HOSTILE) > 30
  assert {path: path.read_bytes() for path in one.edits.iterdir()} == before


def test_through_a_tunnel_the_port_may_be_another(edited):
  browser, _, _ = edited
  host = 'localhost:9999'
  assert browser.ask('GET', '/api/list', Host=host, Origin=f'http://{host}')[0] == 200
  assert browser.ask('GET', '/api/list', Host=host, Origin='http://localhost:9998')[0] == 403


def test_a_second_reader_does_not_see_what_the_first_drew(tmp_path):
  scan = tmp_path / 'drawn'
  make_phantom(scan, size='mini', contours=True)
  seen = {}
  for blind in (False, True):
    (one,), faults = begin(scan, tmp_path / f'out-{blind}', blind='berta' * blind)
    one.opened = some_slices(one.opened, slice(1, 2))
    assert not faults
    with serving([one]) as browser:
      browser.get('/api/study/0')
      seen[blind] = {frame['origin'] for frame in browser.get(SLICE)[1]['frames']}
  assert seen == {False: {'drawn'}, True: {'none'}}


def test_an_editor_goes_on_where_another_ended_but_no_blind_reader(edited, study):
  _, one, _ = edited
  state, version = one.slices[0].state(), one.slices[0].version
  one.close()
  with serving([study(one.folder.parent, blind='berta')]) as browser:
    assert 'begun by another reader' in browser.get('/api/study/0')[1]['error']
  again = study(one.folder.parent)
  with serving([again]) as browser:
    (listed,) = browser.get('/api/list')[1]['studies']
    assert listed['state'] == 'begun'
    assert browser.get('/api/study/0')[0] == 200
    assert browser.get(SLICE)[1] == json.loads(json.dumps(state))
  assert again.slices == []
  assert version > 0
