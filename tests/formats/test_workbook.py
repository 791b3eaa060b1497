"""The workbook, opened by openpyxl and by pandas, against the curves and markers it was made from."""

import dataclasses

import openpyxl
import pandas as pd
import pytest
from analysed import SECTORS, exact_motion, write_sources

from ear_jax.analysis import uncertainty
from ear_jax.analysis.motion import COMPONENTS, GROUPS
from ear_jax.formats.dicom import instances
from ear_jax.report import workbook

ORDER = {'CIRC': 'circumferential', 'RAD': 'radial', 'LONG': 'longitudinal'}  # StrainMap's


@pytest.fixture(scope='module')
def motion():
  return exact_motion(1, failed=(2,))


@pytest.fixture(scope='module')
def path(tmp_path_factory, motion):
  path = tmp_path_factory.mktemp('workbook') / 'sax2_velocity.xlsx'
  workbook.write(path, motion, cine='239 MVM sax2', pseudonym='anon-01', offset=12.5)
  return path


@pytest.fixture(scope='module')
def book(path):
  return openpyxl.load_workbook(path)


def test_sheets_are_those_of_strainmap_and_our_notes(book):
  assert book.sheetnames == [
    'Parameters',
    'GLOBAL',
    'ANGULAR_x6',
    'ANGULAR_x24',
    'RADIAL_x3',
    'Intervals',
    'STRAIN',
    'Notes',
  ]


@pytest.mark.parametrize(
  ('sheet', 'group'),
  [('GLOBAL', 'global'), ('ANGULAR_x6', 'angular6'), ('ANGULAR_x24', 'angular24'), ('RADIAL_x3', 'layers')],
)
def test_a_sheet_has_a_row_a_frame_and_a_column_a_component_and_region(book, motion, sheet, group):
  header, *rows = book[sheet].iter_rows(values_only=True)
  assert header == ('frame', *(short for short in ORDER for _ in range(GROUPS[group])))
  assert [row[0] for row in rows] == [0, 1, 2, 3]
  for frame, row in enumerate(rows):
    cells = iter(row[1:])
    for component in ORDER.values():
      for region in range(GROUPS[group]):
        expected = motion.curves[group][region, frame, COMPONENTS.index(component)]
        cell = next(cells)
        assert cell is None if frame == 2 else cell == pytest.approx(expected, abs=1e-12)


def test_every_marker_has_its_interval(path, motion):
  table = pd.read_excel(path, sheet_name='Intervals')
  assert len(table) == len(motion.markers) == 34 * (2 * 4 + 4)
  names = ['component', 'marker', 'velocity', 'velocity_low', 'velocity_high', 'time', 'time_low', 'time_high']
  assert list(table.columns) == ['region_name', *names]
  pd.testing.assert_frame_equal(table[names], motion.markers[names], check_dtype=False)
  notes = pd.read_excel(path, sheet_name='Notes', header=None)[1].tolist()
  assert uncertainty.HELD in notes


def test_pandas_opens_the_curves(path, motion):
  table = pd.read_excel(path, sheet_name='GLOBAL', index_col=0)
  assert list(table.columns) == ['CIRC', 'RAD', 'LONG']
  assert table.loc[3, 'RAD'] == pytest.approx(motion.curves['global'][0, 3, 1])


def test_parameters_name_no_one(book):
  rows = {row[0]: row[1] for row in book['Parameters'].iter_rows(max_row=14, max_col=2, values_only=True)}
  assert list(rows) == [
    'StrainMap version',
    'Cine',
    'Patient Name',
    'Patient DOB',
    'Date of Scan',
    'Cine offset (mm)',
    'Mean RR interval (ms)',
    'FOV size (rows x cols)',
    'Pixel size (mm)',
    'Orientation',
    'Timeshift (ms)',
    'Sign reversal - X',
    'Sign reversal - Y',
    'Sign reversal - Z',
  ]
  assert rows['Cine'] == '239 MVM sax2'
  assert rows['Patient Name'] == 'anon-01'
  assert not rows['Patient DOB']
  assert not rows['Date of Scan']
  # Case S13: texts, as StrainMap writes them.
  assert (rows['Cine offset (mm)'], rows['Mean RR interval (ms)'], rows['Pixel size (mm)']) == ('12.5', '82.0', '2.4')
  assert rows['FOV size (rows x cols)'] == '48x48'
  assert (rows['Orientation'], rows['Sign reversal - X']) == ('CCW', False)


@pytest.mark.parametrize('group', GROUPS)
def test_a_marker_table_holds_every_marker_of_its_group(book, motion, group):
  sheet = book['Parameters']
  first = 18  # keys and values, three rows apart, the first table: pandas' two rows of header and one of index names
  for before, count in GROUPS.items():
    if before == group:
      break
    first += 3 * count + 5
  last = first + 2 + 3 * GROUPS[group]
  components, markers, names, *rows = map(list, sheet.iter_rows(min_row=first, max_row=last, values_only=True))
  assert names[:2] == ['quantity', 'region']
  filled = {}
  for column, (component, marker) in enumerate(zip(_spread(components), markers, strict=True)):
    for title, row in zip(_spread([row[0] for row in rows]), rows, strict=True):
      if column > 1 and marker is not None:
        filled[component, marker, title, row[1]] = row[column]
  labels = {
    'global': ['GLOBAL'],
    'angular6': list(SECTORS),
    'angular24': [f'ANGULAR_x24 - {k}' for k in range(24)],
    'layers': [f'RADIAL_x3 - {k}' for k in range(3)],
  }[group]
  lines = motion.markers[motion.markers['group'] == group].to_dict('records')
  short = {name: key for key, name in ORDER.items()}
  (shared,) = motion.markers.query("group == 'global' and component == 'radial' and marker == 'ES'")['velocity']
  for line in lines:
    # Case S13: StrainMap finds ES in the radial curve of the whole wall and writes its velocity everywhere.
    velocity = shared if line['marker'] == 'ES' else line['velocity']
    place = short[line['component']], line['marker']
    region = labels[line['region']]
    assert filled[(*place, 'Frame', region)] == line['frame']
    assert filled[(*place, 'Velocity (cm/s)', region)] == pytest.approx(velocity)
    assert filled[(*place, 'Norm. Time (s)', region)] == line['normalised_time']
  assert len([value for value in filled.values() if value is not None]) == 3 * len(lines)


def _spread(cells):
  """Merged cells have their value in the first one."""
  last, spread = None, []
  for cell in cells:
    last = last if cell is None else cell
    spread.append(last)
  return spread


def test_notes_say_what_the_layout_does_not(book):
  text = '\n'.join(str(row[1]) for row in book['Notes'].iter_rows(values_only=True))
  assert 'milliseconds' in text
  assert 'IS, I, IL, AL, A, AS' in text
  assert 'CIRC is positive counter-clockwise' in text
  assert 'left empty: 2.' in text
  assert 'deviation is not known' in text
  assert 'mean of each curve over the cycle: subtracted; phase wraps in the wall: undone' in text
  assert 'Scanned with venc' not in text  # of a motion that has none


def test_notes_say_which_venc_and_frame_interval_were_used(tmp_path, motion):
  """Case S7."""
  scanned = dataclasses.replace(motion, venc=(20.0, 25.0, 30.0), frame_interval=20.5)
  workbook.write(tmp_path / 'book.xlsx', scanned, cine='c', pseudonym='p')
  rows = openpyxl.load_workbook(tmp_path / 'book.xlsx')['Notes'].iter_rows(values_only=True)
  assert any(
    'venc 20, 25, 30 cm/s (along column, along row, through the plane); frames: 20.5 ms' in str(r[1]) for r in rows
  )


def test_the_rr_interval_is_as_strainmap_writes_it_where_the_files_say(tmp_path, motion):
  """Case S13: '900±20', which StrainMap makes of the comment 'RR 900 +/- 20'."""
  (file,) = write_sources(tmp_path / 'dicom', (8, 8), 1, tags={'ImageComments': 'RR 900 +/- 20 Doe'})
  stated = instances.rr_interval(file)
  assert stated == '900±20'
  workbook.write(tmp_path / 'sax2.xlsx', motion, cine='a', pseudonym='a', rr_interval=stated)
  book = openpyxl.load_workbook(tmp_path / 'sax2.xlsx')
  assert book['Parameters']['B7'].value == '900±20'
  assert 'deviation is not known' not in '\n'.join(str(row[1]) for row in book['Notes'].iter_rows(values_only=True))


def test_a_cine_called_like_a_formula_stays_text(tmp_path, motion):
  path = tmp_path / 'sax2_velocity.xlsx'
  workbook.write(path, motion, cine='=HYPERLINK("file:///etc", "a")', pseudonym='anon-01')
  cell = next(row[1] for row in openpyxl.load_workbook(path)['Parameters'].iter_rows() if row[0].value == 'Cine')
  assert cell.data_type == 's'
  assert cell.value == '=HYPERLINK("file:///etc", "a")'
