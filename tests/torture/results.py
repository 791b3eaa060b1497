"""What long tests found: a row a fault, gathered in a file, as a table on the terminal and in the documentation."""

import datetime
import json
import pathlib
import re
from collections.abc import Sequence

from registry import Fault, Outcome
from rich.table import Table

from ear_jax.system.files import write_text

BEGIN, END = '<!-- torture: begin -->', '<!-- torture: end -->'
_KEPT = 20  # texts of failures in the file


def slug(name: str) -> str:
  """Returns a name for a folder."""
  return re.sub(r'\W+', '_', name.lower()).strip('_')


def row(fault: Fault, outcomes: Sequence[Outcome]) -> dict:
  """Returns the row of a fault as plain types."""
  lost = sorted({outcome.lost for outcome in outcomes} - {'nothing'})
  return {
    'name': fault.name,
    'group': fault.group,
    'tried': sum(outcome.tried for outcome in outcomes),
    'survived': sum(outcome.survived for outcome in outcomes),
    'lost': '; '.join(lost) or 'nothing',
    'date': datetime.date.today().isoformat(),
    'failures': [text for outcome in outcomes for text in outcome.failures][:_KEPT],
  }


def load(path: pathlib.Path) -> list[dict]:
  """Returns the rows gathered so far."""
  return json.loads(path.read_text()) if path.exists() else []


def save(path: pathlib.Path, new: dict, order: Sequence[str]) -> None:
  """Puts a row in the place of an older one of its name; rows of faults that are no more in `order` go."""
  rows = {old['name']: old for old in load(path)} | {new['name']: new}
  write_text(path, json.dumps([rows[name] for name in order if name in rows], indent=1))


def terminal(rows: Sequence[dict]) -> Table:
  """Returns the table for the terminal."""
  table = Table('fault', 'tried', 'survived', 'lost')
  for row in rows:
    style = None if row['survived'] == row['tried'] else 'red'
    table.add_row(row['name'], f'{row["tried"]:,}', f'{row["survived"]:,}', row['lost'], style=style)
  return table


def markdown(rows: Sequence[dict]) -> str:
  """Returns the table for the documentation, group by group; faults with the same figures share a line."""
  lines = ['| part | fault | tried, each | survived | lost |', '|---|---|---|---|---|']
  alike: dict[tuple, list[str]] = {}
  for group in dict.fromkeys(row['group'] for row in rows):
    for row in (row for row in rows if row['group'] == group):
      alike.setdefault((group, row['tried'], row['survived'], row['lost']), []).append(row['name'])
  for (group, tried, survived, lost), names in alike.items():
    share = f'{survived:,} (100 %)' if survived == tried else f'**{survived:,}**'
    lines.append(f'| {group} | {"; ".join(names)} | {tried:,} | {share} | {lost} |')
  return '\n'.join(lines)


def into_docs(path: pathlib.Path, rows: Sequence[dict]) -> None:
  """Replaces what stands between the two markers."""
  before, _, rest = path.read_text().partition(BEGIN)
  _, _, after = rest.partition(END)
  write_text(path, f'{before}{BEGIN}\n\n{markdown(rows)}\n\n{END}{after}')
