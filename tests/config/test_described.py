"""The fields of a configuration in words: all of them, as they are described once, in the terminal and on the page."""

import pathlib
import re
import subprocess
import sys

import pytest

from ear_jax.config.described import markdown, text
from ear_jax.config.fields import FIELDS, MAY_CHANGE
from ear_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


def test_every_field_stands_in_both_once_with_a_star_where_a_resumed_run_may_change_it():
  for said in (re.findall(r'^(\S+) = ', text(), re.MULTILINE), re.findall(r'^\| `(.*?)`', markdown(), re.MULTILINE)):
    assert [name.rstrip('*') for name in said] == list(FIELDS)
    assert {name[:-1] for name in said if name.endswith('*')} == set(MAY_CHANGE)
  columns = {line.count('|') for line in markdown().splitlines() if line.startswith('|')}
  assert columns == {5}, 'no word of a field breaks the table'


def test_a_field_is_said_with_default_unit_range_choices_and_reason():
  found = text('optimizer')
  assert 'optimizer.warmup_steps = 20 updates (0 or more)\n    updates in which the rate rises\n' in found
  assert 'optimizer.schedule = cosine (cosine, constant)\n' in found
  assert 'optimizer.ema_decay = 0.0 (0 or more, below 1)\n' in found
  assert 'data.' not in found
  assert text('steps').count(' = ') == 1
  with pytest.raises(UserError, match=r"'optimiser': the sections are augment, .*; nearest: optimizer$"):
    text('optimiser')


@pytest.mark.multiprocess
def test_the_command_lists_them_alone_and_with_a_word():
  def said(word):
    return subprocess.check_output([sys.executable, '-m', 'ear_jax.train', word], text=True)

  assert said('--fields') == text() + '\n'
  assert said('--fields=loss') == text('loss') + '\n'


def test_the_site_has_a_page_of_them():
  site = (ROOT / 'mkdocs.yml').read_text()
  hook = re.search(r'hooks: \[(\S+)\]', site)[1]
  assert '- fields.md' in site
  assert "'fields.md', content=markdown()" in (ROOT / hook).read_text()
