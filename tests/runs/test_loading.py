"""What training batches cost, measured on the toy data set: each record is read, and nothing else is."""

import dataclasses

from ear_jax.benchmarking import loading


class _Counting:
  def __init__(self, source):
    self.source, self.reads = source, []

  def __getitem__(self, record):
    self.reads.append(record)
    return self.source[record]


def test_a_row_for_each_way_of_making_batches(config, data, monkeypatch):
  source = _Counting(data.source)
  monkeypatch.setattr(loading, 'open_data_set', lambda _: dataclasses.replace(data, source=source))
  monkeypatch.setattr(loading, '_ASKED', 20)
  rows = loading.measure_loading(config)
  assert [(row['augmentation'], row['on_device']) for row in rows] == [
    ("the paper's", True),
    ('its own', True),
    ("the paper's", False),
    ('its own', False),
  ]
  assert all(row['first_seconds'] > 0 and row['later_ms'] > 0 for row in rows)
  assert [row['device_ms'] > 0 for row in rows] == [True, True, False, False]
  # Once for each way, and one more to look at its channels.
  assert sorted(source.reads) == sorted(4 * [*range(10), data.records_of(data.subjects)[0]])
