"""What is in the page's file, read without a browser: numbers, pictures, words, and nothing that must not be there."""

import base64
import dataclasses
import datetime
import gc
import hashlib
import html.parser
import io
import json
import pathlib
import re
import weakref

import as_shown
import numpy as np
import pytest
from PIL import Image

import ear_jax
from ear_jax.analysis.checks_of_study import LIMITS, Check, worst
from ear_jax.analysis.motion import COMPONENTS, GROUPS, INTERVALS, Settings
from ear_jax.report import page, page_numbers, sprites
from ear_jax.report.overlay import grey
from ear_jax.report.warned import NO_INTERVAL, WARNED

EVIL = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)> & "quoted" \u2028'


class Elements(html.parser.HTMLParser):
  """Names, attributes and text of everything in a page."""

  def __init__(self, text):
    super().__init__()
    self.found, self.text, self._inside = [], [], False
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs), []))
    self._inside = True

  def handle_endtag(self, tag):
    self._inside = False

  def handle_data(self, data):
    self.text.append(data)
    if self._inside:
      self.found[-1][2].append(data)

  def words(self):
    """All text, with one space between words."""
    return ' '.join(' '.join(self.text).split())

  def of(self, tag, **attributes):
    """Texts of the elements of a tag with these attributes."""
    named = {key.rstrip('_'): value for key, value in attributes.items()}
    return [''.join(t) for name, a, t in self.found if name == tag and named.items() <= a.items()]


def parse(path):
  return Elements(path.read_text(encoding='utf-8'))


def data_of(path):
  return [json.loads(text) for text in parse(path).of('script', class_='data')]


def decode(uri):
  return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition('base64,')[2]))))


def frames_of(sheets, view):
  """`[T, h, w, ...]`, cut out of a sheet."""
  picture = decode(sheets.uris[view])
  places = [divmod(f, sheets.columns) for f in range(sheets.columns**2)]
  corners = [(r * sheets.cell[0], c * sheets.cell[1]) for r, c in places]
  cells = [picture[r : r + sheets.height, c : c + sheets.width] for r, c in corners]
  return np.stack([cell for cell in cells if cell.shape[:2] == (sheets.height, sheets.width)])


def test_the_curves_and_markers_in_the_file_are_those_of_the_analysis(report, analysed):
  for data, a in zip(data_of(report), analysed, strict=True):
    for key, motion in (('prediction', a.motion), ('reference', a.reference)):
      if data[key] is None:
        continue
      for group in GROUPS:
        values = np.array(data[key]['curves'][group], float)  # [regions, 3, T], None becomes NaN
        np.testing.assert_allclose(np.moveaxis(values, 1, 2), motion.curves[group], atol=6e-7)
      numbers = ['frame', 'velocity', 'time', *INTERVALS]
      columns = ['group', 'region', 'component', 'marker', *numbers]
      table = {tuple(row[:4]): row[4:] for row in motion.markers[columns].to_numpy().tolist()}
      read = {
        (group, region, m['component'], m['marker']): [m[name] for name in numbers]
        for group, regions in data[key]['markers'].items()
        for region, markers in enumerate(regions)
        for m in markers
      }
      assert read.keys() == table.keys()
      for name, values in read.items():
        np.testing.assert_array_equal(np.array(values, float), np.array(table[name], float), str(name))
  assert data_of(report)[2]['reference'] is None


def test_frames_without_contours_are_null_and_named_as_failed(report, analysed):
  data = data_of(report)[1]['prediction']
  failed = np.flatnonzero(analysed[1].motion.contours.failed)
  assert failed.size
  assert [i for i, lines in enumerate(data['contours']) if lines is None] == failed.tolist()
  assert all(data['curves']['global'][0][c][i] is None for c in range(3) for i in failed)
  assert data['failed'] == analysed[1].motion.contours.failed.tolist()
  assert data['flags'] == list(analysed[1].motion.contours.flags)


def test_contours_are_in_tenths_of_a_pixel_from_the_corner_of_the_window(report, analysed, page_slices):
  motion, sheets = analysed[0].motion, page_slices[0].sheets
  for key in ('endo', 'epi'):
    read = np.array([lines[key] for lines in data_of(report)[0]['prediction']['contours']]).reshape(-1, 120, 2) / 10
    points = getattr(motion.contours, key)[:, ::3]
    # The centre of the window's first pixel is at (0.5, 0.5), and that pixel is (top, left).
    np.testing.assert_allclose(read[..., 0], points[..., 1] - sheets.left + 0.5, atol=0.051)
    np.testing.assert_allclose(read[..., 1], points[..., 0] - sheets.top + 0.5, atol=0.051)


def test_the_wall_s_colours_stand_for_its_velocities(analysed, page_slices):
  for a, s in zip(analysed, page_slices, strict=True):
    codes = frames_of(s.sheets, sprites.WALL)[: s.frames]
    window = np.s_[:, s.sheets.top : s.sheets.top + s.sheets.height, s.sheets.left : s.sheets.left + s.sheets.width]
    mask = a.motion.mask[window].astype(bool)
    assert mask.sum() == a.motion.mask.sum()
    np.testing.assert_array_equal(codes.any(-1), mask)
    velocity = (codes.astype(float) - sprites.CENTRE) / sprites.STEPS * s.sheets.ranges
    for frame in np.flatnonzero(~a.motion.contours.failed):
      mean = velocity[frame][mask[frame]].mean(0)
      step = np.array(s.sheets.ranges) / sprites.STEPS
      assert (abs(mean - a.motion.curves['global'][0, frame]) < step / 2).all()
    exact = sprites.wall_velocity(a.cine, a.motion)[window]
    assert (abs(velocity - exact)[mask] <= np.array(s.sheets.ranges) / sprites.STEPS / 2 + 1e-5).all()


def test_pictures_are_the_cine_s_frames_in_their_order(analysed, page_slices):
  cine, s = analysed[0].cine, page_slices[0]
  window = np.s_[:, s.sheets.top : s.sheets.top + s.sheets.height, s.sheets.left : s.sheets.left + s.sheets.width]
  shown = frames_of(s.sheets, 'magnitude')[: s.frames] / 255
  assert abs(shown - grey(cine.video[window][..., 0])).mean() < 0.02
  for channel, view in enumerate(sprites.VIEWS[1:]):
    shown = (frames_of(s.sheets, view)[: s.frames] / 255 * 2 - 1) * cine.venc[channel]
    error = abs(shown - cine.video[window][..., 1 + channel]).mean() / cine.venc[channel]
    assert error < 0.04  # JPEG of noise in air; another frame differs by 0.2 and more


def test_a_large_window_is_thinned_and_its_cine_is_let_go(make_cine):
  rng = np.random.default_rng(0)
  video = rng.random((3, 500, 400, 1), np.float32)
  cine = make_cine(channels=1, video=video, mask=np.zeros((3, 500, 400), np.uint8))
  made = page.page_slice(cine, None)
  assert (made.sheets.step, made.sheets.height, made.sheets.width) == (3, 166, 133)
  assert list(made.sheets.uris) == ['magnitude']
  alive = weakref.ref(cine)
  del cine
  gc.collect()
  assert alive() is None


@pytest.mark.parametrize('argument', ['motion', 'reference', 'uncertainty'])
def test_another_number_of_frames_is_refused(analysed, argument):
  a = analysed[0]
  shorter = dataclasses.replace(a.motion, mask=a.motion.mask[:-1])
  arguments = {'motion': a.motion, argument: a.uncertainty[:-1] if argument == 'uncertainty' else shorter}
  with pytest.raises(ValueError, match=rf'phantom-01-a/sax1: the {argument} has 11 frames, the cine 12'):
    page.page_slice(a.cine, **arguments)


def test_no_string_becomes_markup(write, page_slices, analysed):
  contours = dataclasses.replace(analysed[0].motion.contours, flags=(EVIL,) * 12)
  motion = dataclasses.replace(analysed[0].motion, contours=contours)
  slices = [dataclasses.replace(page_slices[0], name=f'd/{EVIL.replace("/", "|")}', level=EVIL, motion=motion)]
  check = Check(EVIL, EVIL, 'warn', EVIL)
  changes = {'settings': {EVIL: EVIL}, 'versions': {EVIL: EVIL}, 'checks': [check]}
  path = write(pseudonym=EVIL, slices=slices, **changes)
  parsed = parse(path)
  tags = [tag for tag, _, _ in parsed.found]
  assert tags.count('script') == 3  # one slice, the study, ours
  assert 'img' not in tags
  assert data_of(path)[0]['prediction']['flags'] == [EVIL] * 12
  assert parsed.of('h1') == [EVIL]
  assert parsed.text.count(EVIL) >= 8  # name, slice and reason of the check, settings, versions


def test_a_browser_may_run_our_script_alone_and_fetch_nothing(report):
  parsed = parse(report)
  policy = next(a['content'] for tag, a, _ in parsed.found if a.get('http-equiv') == 'Content-Security-Policy')
  rules = dict(rule.strip().split(' ', 1) for rule in policy.split(';'))
  assert (rules['default-src'], rules['img-src']) == ("'none'", 'data:')
  script = next(''.join(t) for tag, a, t in parsed.found if tag == 'script' and not a)
  for text, rule in ((script, 'script-src'), (parsed.of('style')[0], 'style-src')):
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert rules[rule] == f"'sha256-{digest}'"
  addresses = re.findall(r'https?://[^\'"\s]+', report.read_text(encoding='utf-8'))
  assert set(addresses) == {'http://www.w3.org/2000/svg'}  # a name of XML, never fetched
  assert not any('style' in a or any(k.startswith('on') for k in a) for _, a, _ in parsed.found)


def test_withheld_curves_are_not_in_the_file(write):
  failed = (Check('area', 'sax2', 'fail', 'the cavity jumps by 60 %'),)
  path = write(checks=failed, withheld=True)
  for data in data_of(path):
    assert set(data['prediction']) == {'contours', 'failed', 'flags'}
    assert sprites.WALL not in data['views']
  parsed = parse(path)
  assert 'Curves are withheld.' in parsed.text
  assert not [a for _, a, _ in parsed.found if a.get('class') in ('summary', 'markers', 'plot')]
  assert 'Released although the quality gate failed' in parse(write(checks=failed, withheld=False)).words()


def test_checks_stand_with_word_and_reason_worst_first(write):
  checks = [Check(n, '', s, f'because {n}') for n, s in (('a', 'pass'), ('b', 'warn'), ('c', 'fail'), ('d', 'pass'))]
  text = parse(write(checks=checks)).words()
  places = [text.index(found) for found in ('✗ fail c study because c', '! warn b study because b', '2 checks passed')]
  assert places == sorted(places)
  assert text.index('✓ pass a study because a') > places[-1]


def test_a_magnitude_study_that_failed_says_so_at_its_slices(write, analysed):
  """Case N6: it said that a study of magnitude has no curves, which is not why its areas are missing."""
  cine = analysed[0].cine.replace(video=analysed[0].cine.video[..., :1], venc=None)
  checks = [Check('area', 'sax1', 'fail', 'the cavity jumps')]
  text = parse(write(slices=[page.page_slice(cine, None)], checks=checks, withheld=True)).words()
  assert 'The study failed its quality gate: no areas are given.' in text
  assert 'No areas of this slice.' not in text


def test_what_is_said_of_the_whole_study_is_said_once(write):
  checks = [Check('rate', '', 'warn', 'the slices differ'), Check('area', 'sax2', 'fail', 'the cavity jumps')]
  text = parse(write(checks=checks, withheld=True)).words()
  assert (text.count('the slices differ'), len(re.findall('fail area sax2 the cavity jumps', text))) == (1, 2)


def test_worst_of_checks():
  made = {s: Check('n', '', s, 'r') for s in ('beyond', 'partly', 'pass', 'warn', 'fail')}
  assert worst([made['pass'], made['fail'], made['warn']]) == 'fail'
  assert worst([made['beyond'], made['partly']]) == 'pass'
  assert worst([made['pass'], made['warn']]) == 'warn'
  assert worst([]) == 'pass'
  with pytest.raises(ValueError, match=r"'n' has status 'bad', expected one of beyond, partly, pass, warn, fail"):
    Check('n', '', 'bad', 'r')


def test_settings_versions_and_the_statement_are_on_the_page(report):
  text = parse(report).words()
  for part in ('circumferential sign +1: counter-clockwise', 'ear_jax 1.2.3', 'checkpoint fold 0, step 4000'):
    assert part in text
  assert 'Not a medical device' in text


def test_settings_are_said_in_words_and_each_once():
  said = page_numbers.conventions(Settings(orientation='CW', signs=(1, -1, 1), border=0.4, remove_mean=False))
  assert said['sectors, clockwise in the picture from mid septum'] == 'AS, A, AL, IL, I, IS'
  assert said['factors of the velocities along column, along row, through the plane'] == '+1, -1, +1'
  assert said['wall left out of the curves next to either contour'] == '0.4 mm'
  assert said['mean of each curve over the cycle'] == 'kept'
  assert len(said) == len(dataclasses.fields(Settings))
  for text in said.values():
    assert not re.search(r'None|True|False|[()\[\]_]', text), text


def test_venc_and_frame_interval_of_each_slice_are_on_the_page(report, analysed):
  """Case S7."""
  text = parse(report).words()
  for one in analysed:
    assert f'{one.cine.slice_id} 20.00, 20.00, 30.00 {one.cine.frame_interval:.2f} ' in ' '.join(text.split())


def test_the_summary_has_the_peaks_of_every_slice(report, analysed):
  text = report.read_text(encoding='utf-8')
  table = text[text.index('class="summary"') : text.index('</table>')]
  rows = [[re.sub(r'<[^>]+>', ' ', c) for c in re.findall(r'<td[^>]*>(.*?)</td>', r)] for r in table.split('<tr')[3:]]
  expected = []
  for motion in (m for a, both in zip(analysed, (1, 1, 0), strict=True) for m in (a.motion, a.reference)[: 1 + both]):
    found = motion.markers.query("group == 'global'").set_index(['component', 'marker'])
    order = [(c, m) for c in COMPONENTS for m in page_numbers.MARKERS[c] if m != 'ES']
    expected.append([_peak(found.loc[key]) for key in order])
  assert [[cell.split() for cell in row[3:]] for row in rows] == expected
  assert sum('to' in cell for row in expected for cell in row) > 20  # of the predictions, which have intervals


def _peak(marker):
  """A peak as the table shows it: velocity, interval, frame."""
  low, high = (as_shown.rounded(marker[f'velocity_{end}'], 1) for end in ('low', 'high'))
  interval = [] if np.isnan(marker['velocity_low']) else [low, 'to', high]
  frame = [] if np.isnan(marker['velocity']) else ['frame', f'{marker["frame"]:.0f}']
  return [as_shown.rounded(marker['velocity'], 1), *interval, *frame]


def test_a_warning_says_which_numbers_it_makes_uncertain_and_what_to_look_at(write, page_slices):
  text = ' '.join(parse(write(checks=[Check('phase wraps', 'sax2', 'warn', '3 samples')])).words().split())
  assert '3 samples Uncertain: peak velocities of the slice. Look at the raw views at the peaks' in text
  assert text.index('The quality gate warns. No check failed') < text.index('Peak velocities of the whole wall')
  dice = f'{page_slices[0].label} 0.80, {page_slices[1].label} 0.80.'  # 1 minus the mean of 0.01 to 0.4
  assert f'error of 1 mm on a thin wall): {dice}' in text
  passed = parse(write(checks=[Check('phase wraps', 'sax2', 'pass', '3 samples')])).words()
  assert 'Uncertain:' not in passed
  assert 'The quality gate warns.' not in passed


def test_every_check_that_may_warn_says_what_its_warning_means():
  source = ''.join(path.read_text() for path in pathlib.Path(ear_jax.__file__).parent.rglob('*.py'))
  made = {*re.findall(r"Check\('([^']+)'", source), *LIMITS, 'venc', 'pixel spacing', 'frame interval', 'signs'}
  made |= {'expected Dice', 'size of the heart', 'size of velocities', 'velocity signs', 'order of sectors', 'stack'}
  assert made == {*WARNED}


def test_why_an_ejection_fraction_has_no_interval_is_what_was_measured():
  results = (pathlib.Path(__file__).parents[2] / 'docs' / 'results.md').read_text()
  row = re.search(r'\| EF, points of % \|.*', results)[0]
  bias, _, limits = (cell.strip() for cell in row.split('|')[-4:-1])  # of both networks together
  assert f'{bias[1:]} points larger' in NO_INTERVAL[True]
  assert f'{limits.replace("to ", "to +")} points' in NO_INTERVAL[True]


def test_limits_of_axes_and_colours_are_round(analysed):
  # By hand: 1 % of 2400 values may lie above, so 0.1 of 2400 at 40 is a blip and 7.3 rounds up to 8.
  curves = {group: np.zeros((count, 100, 3)) for group, count in GROUPS.items()}
  curves['angular24'][:, :, 0] = 7.3
  curves['angular24'][0, 0, 0] = -40
  curves['global'][0, :2, 1] = (-6, 4)
  motion = dataclasses.replace(analysed[0].motion, curves=curves)
  assert page_numbers.colour_ranges([motion]) == [8.0, 1.0, 1.0]
  low, high, tick = page_numbers.axes([motion])['global'][1]
  assert (low, high, tick) == pytest.approx((-7.8, 5.8, 2.5))  # 18 % of 10 on either side; 10 / 4 between ticks


def luminance(colour):
  parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
  return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def contrast(a, b):
  low, high = sorted((luminance(a), luminance(b)))
  return (high + 0.05) / (low + 0.05)


def test_text_contrasts_with_what_lies_behind_it(report):
  style = parse(report).of('style')[0]
  light, _, dark = style.partition('(prefers-color-scheme: dark)')
  colours = dict(re.findall(r'--(\w+): (#[0-9a-f]{6})', light))
  for name in ('ink', 'soft', 'accent', 'reference', 'pass', 'warn', 'fail'):
    assert contrast(colours[name], '#ffffff') >= 4.5, name
  badges = re.findall(r'\.badge\.(\w+) \{ color: var\(--(\w+)\); background: (#[0-9a-f]{6})', light)
  assert {b[0] for b in badges} == {'pass', 'warn'}  # the third is white on red, the same contrast as above
  assert all(contrast(colours[ink], behind) >= 4.5 for _, ink, behind in badges)
  assert contrast(colours['soft'], colours['panel']) >= 4.5
  night = dict(re.findall(r'--(\w+): (#[0-9a-f]{6})', dark.partition('}')[0]))  # case N12
  for behind in ('paper', 'panel', 'hover', 'alarm', 'caution'):
    for name in ('ink', 'soft') if behind != 'hover' else ('accent',):
      assert contrast(night[name], night[behind]) >= 4.5, (name, behind)
  assert min(contrast(night[name], night['paper']) for name in ('accent', 'reference')) >= 4.5


def test_network_training_data_venc_date_and_research_only_come_before_any_number(write):
  """Case N8: on the screen at the top, on paper on each sheet."""
  versions = {'ear_jax': '1.2.3', 'network 1': 'ear3d, trained on mvm_cmr/phantom_many (phantoms alone)'}
  path = write(versions=versions, date=datetime.date(2026, 11, 28), pseudonym='anna"; } body { display: none')
  text = parse(path).words()
  top = text[: text.index('Peak velocities')]
  for part in ('Not a medical device', versions['network 1'], 'Venc: 20, 20, 30 cm/s', 'Analysed: 2026-11-28'):
    assert part in top
  sheet = parse(path).of('style')[0].splitlines()[-1]
  assert sheet.startswith('@page { @bottom-left { content: "anna  body  display none  Research software. Not a medical')
  assert sheet.count('"') == 6  # the name cannot end its string
