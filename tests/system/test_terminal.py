"""Progress: a bar on a terminal, a line every ten seconds elsewhere."""

import io

import pytest
from rich.console import Console

from ear_jax.system import terminal
from ear_jax.system.terminal import tracked


@pytest.fixture
def said(monkeypatch):
  """Lines of the log, and a clock on which every item takes six seconds."""
  lines, now = [], iter(range(0, 1000, 6))
  monkeypatch.setattr(terminal.time, 'monotonic', lambda: next(now))
  monkeypatch.setattr(terminal.logging, 'info', lambda text, *values: lines.append(text % values))
  return lines


def test_off_a_terminal_a_line_comes_at_once_then_every_ten_seconds_and_when_all_are_done(said):
  assert list(tracked('abcdef', 'scoring', 6, Console(file=io.StringIO()))) == list('abcdef')
  assert said == [f'scoring: {done} of 6 done' for done in (0, 2, 4, 6)]


def test_what_ends_early_is_not_said_to_be_done(said):
  for item in tracked('abcdef', 'scoring', 6, Console(file=io.StringIO())):
    if item == 'b':
      break
  assert said == ['scoring: 0 of 6 done']


def test_on_a_terminal_there_is_a_bar_and_no_line(said):
  console = Console(file=io.StringIO(), force_terminal=True, width=80)
  assert list(tracked('abc', 'scoring', 3, console)) == list('abc')
  assert said == []
  assert 'scoring' in console.file.getvalue()
