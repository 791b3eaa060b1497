"""Figures to tables: medians, ratios and shares worked out by hand."""

import pytest

from benchmarks import plot, tables
from benchmarks.__main__ import merge
from ear_jax.benchmarking import table


def entry(forward, step, memory, first=10.0):
  return {
    'versions': {'made': '1.0'},
    'cores': 2,
    'devices': 2,
    'parameters': 7,
    'first_call': {'forward': first, 'step': first},
    'peak_memory': {'forward': memory / 2, 'step': memory},
    'seconds': {'forward': forward, 'step': step},
    'losses': [1.0, 0.9],
  }


@pytest.fixture
def case():
  """Two cines a batch; ours takes 3 s a cine for a step where the faster peer takes 2."""
  return {
    'network': 'ear3d',
    'frames': 16,
    'size': 128,
    'filters': [2],
    'batch': 2,
    'gflop': {'forward': 60.0, 'step': 180.0},
    'entries': {
      'ours': entry([1.0, 3.0, 2.0], [6.0, 5.0, 9.0], 900.0),
      'torch': entry([4.0, 4.0, 4.0], [4.0, 4.0, 8.0], 600.0),
      'keras:jit': entry([2.5, 2.5, 2.5], [8.0, 8.0, 8.0], 1200.0),
    },
  }


@pytest.fixture
def result(case):
  machine = {'processor': 'P', 'cores': 2, 'memory_gb': 24.0, 'vectors': ['avx2'], 'system': 'S'}
  return {'machine': machine | {'matmul_gflops': {'1': 50.0, '2': 100.0}}, 'cases': [case]}


def cells(text, start):
  """The cells of the rows of a Markdown text that begin with `start`."""
  return [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith(f'| {start}')]


def test_a_ratio_is_of_medians_and_against_the_fastest_peer_of_each_pass(case):
  peers = ['torch', 'keras:jit']
  assert table.ratio(case, 'ours', peers, 'step') == 6.0 / 4.0
  assert table.ratio(case, 'ours', peers, 'forward') == 2.0 / 2.5


def test_speed_is_arithmetic_over_time_and_compiling_is_what_the_first_call_took_longer(case):
  assert table.gflops(case, 'ours', 'step') == 30.0
  assert table.compile_seconds(case, 'ours', 'step') == 4.0
  case['entries']['ours']['first_call']['step'] = 5.0
  assert table.compile_seconds(case, 'ours', 'step') == 0.0


def test_the_tables_of_a_contest(result):
  text = tables.of_contest(result)
  ratios, forward, step, memory, _, compiling = cells(text, 'ear3d 16 x 128 x 128')
  assert ratios[1:] == ['2', '0.80', '1.50', '1.50']
  assert forward[1:4] == ['2', 'forward', '1 (0.5 to 1.5)']
  assert step[1:] == ['2', 'step', '3 (2.5 to 4.5)', '2 (2 to 4)', '4 (4 to 4)', '30 %']
  assert memory[2:] == ['step, peak MB', '900', '600', '1200']
  assert compiling[2:] == ['compile, s', '12.0', '12.0', '9.5']
  assert 'Keras (jit)' in text


def test_a_contestant_that_missed_a_case_or_memory_that_was_not_measured_is_a_dash(result, case):
  small = case | {'frames': 2, 'entries': {'ours': case['entries']['ours'], 'torch': entry([1.0], [1.0], 600.0)}}
  small['entries']['torch']['peak_memory']['step'] = None
  result['cases'].append(small)
  text = tables.of_contest(result)
  ratios, forward, _, memory, *_ = cells(text, 'ear3d 2 x')
  assert ratios[-1] == '-'
  assert forward[5] == '-'
  assert memory[3:] == ['900', '-', '-']


def test_scaling_is_in_cines_a_second(result, case):
  alone = case | {'batch': 1, 'entries': {'1 core': entry([2.0], [5.0], 100.0) | {'cores': 1}}}
  both = case | {'entries': {'2 cores, 2 devices': entry([2.0], [5.0], 100.0)}}
  text = table.of_ours(result | {'cases': [alone, both]})
  assert '2 cores, 2 devices gives 2.00 (forward) and 2.00 (step) times the cines a second of 1 core' in text
  assert [row[5] for row in cells(text, 'ear3d')] == ['72 %', '36 %']  # 180 / 5 GFLOP/s of 50 and of 100


def test_a_case_measured_again_takes_the_place_of_the_old(case):
  larger, again = case | {'frames': 50}, case | {'gflop': {}}
  assert merge([larger, case], again) == [again, larger]
  assert merge([case], case | {'network': 'unet3d'})[0]['network'] == 'unet3d'


def test_the_picture_is_written(tmp_path, result):
  plot.write(tmp_path / 'a.png', result)
  assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')


def test_the_table_of_loading_has_a_row_for_each_way_and_no_device_where_the_host_works():
  figures = {'first_seconds': 0.2, 'first_processor': 0.35, 'later_ms': 0.125, 'device_ms': 81.0}
  rows = [{'augmentation': 'its own', 'on_device': on_device} | figures for on_device in (True, False)]
  text = table.of_loading({'data': 'mvm_cmr/x', 'crop': 192, 'threads': 2, 'rows': rows})
  assert text.startswith('Training batches of mvm_cmr/x at crop 192, 2 threads')
  assert cells(text, 'its own') == [
    ['its own', 'device', '5.00', '0.35', '0.12', '81'],
    ['its own', 'host', '5.00', '0.35', '0.12', '-'],
  ]
