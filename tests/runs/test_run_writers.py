"""The log of a run after a kill: no step twice, no half line, and TensorBoard forgets what will be written again."""

import json

import pytest
from tensorboardX.proto import event_pb2

from ear_jax.system.errors import UserError
from ear_jax.training.log import MetricWriter, read_metrics


def test_figures_are_read_back(tmp_path):
  with MetricWriter(tmp_path, 0) as writer:
    writer.write(1, {'loss': 0.1 + 0.2})
    writer.write(2, {'loss': 0.25, 'dice': 0.5})
  assert read_metrics(tmp_path) == [{'step': 1, 'loss': 0.1 + 0.2}, {'step': 2, 'loss': 0.25, 'dice': 0.5}]


def test_a_line_is_there_at_once(tmp_path):
  with MetricWriter(tmp_path, 0) as writer:
    writer.write(1, {'loss': 0.5})
    assert read_metrics(tmp_path) == [{'step': 1, 'loss': 0.5}]


def test_lines_beyond_the_resumed_step_are_dropped(tmp_path):
  with MetricWriter(tmp_path, 0) as writer:
    for step in (1, 2, 3, 4):
      writer.write(step, {'loss': step})
  with MetricWriter(tmp_path, 2) as writer:
    assert [line['step'] for line in read_metrics(tmp_path)] == [1, 2]
    writer.write(3, {'loss': 30})
  assert [line['loss'] for line in read_metrics(tmp_path)] == [1, 2, 30]


def test_a_run_that_begins_anew_has_no_past(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1, "loss": 1}\n')
  with MetricWriter(tmp_path, 0):
    assert read_metrics(tmp_path) == []


def test_a_line_cut_short_is_not_read_and_does_not_stay(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1, "loss": 1}\n{"step": 2, "lo')
  assert read_metrics(tmp_path) == [{'step': 1, 'loss': 1}]
  with MetricWriter(tmp_path, 1) as writer:
    writer.write(2, {'loss': 2})
  lines = (tmp_path / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [1, 2]


@pytest.mark.parametrize('damage', ['{"step": 2, "lo#s": ', '[2]', '7', '{"loss": 1}', '{"step": "2"}', '\udcff'])
def test_a_damaged_line_is_named(tmp_path, damage):
  lines = f'{{"step": 1, "loss": 1}}\n{damage}\n{{"step": 3, "loss": 1}}\n'
  (tmp_path / 'metrics.jsonl').write_text(lines, errors='surrogateescape')
  with pytest.raises(UserError, match=r'line 2 of .*metrics.jsonl is damaged: remove it'):
    read_metrics(tmp_path)


def test_a_folder_without_a_log_has_no_lines(tmp_path):
  assert read_metrics(tmp_path) == []


def test_a_resumed_run_adds_events_that_count_whatever_the_clock_says(tmp_path):
  for first in (0, 3):
    with MetricWriter(tmp_path, first) as writer:
      writer.write(first + 1, {'loss': 0.5})
  (tmp_path / 'tensorboard').joinpath('events.00001.out.tfevents').rename(tmp_path / 'second')  # of the resumed run
  with MetricWriter(tmp_path, 3):
    names = sorted(path.name for path in (tmp_path / 'tensorboard').iterdir())
  assert names == ['events.00000.out.tfevents', 'events.00001.out.tfevents']
  content = (tmp_path / 'second').read_bytes()
  events = []
  while content:
    length = int.from_bytes(content[:8], 'little')
    events.append(event_pb2.Event.FromString(content[12 : 12 + length]))
    content = content[16 + length :]
  version, purge, loss = events
  assert version.file_version == 'brain.Event:2'
  assert (purge.step, purge.session_log.status) == (4, event_pb2.SessionLog.START)
  assert (loss.step, loss.summary.value[0].tag, loss.summary.value[0].simple_value) == (4, 'training/loss', 0.5)
