"""The fields of a configuration in words, for the terminal (`train --fields`) and for the page of the documents."""

import math

from ear_jax.config.fields import FIELDS, Field
from ear_jax.system.errors import UsageError, nearest

REMARKS = (
  'A field is set by `--config.FIELD=VALUE`, such as `--config.optimizer.learning_rate=0.01`; tuples have commas.',
  'A run that goes on in its working directory may change the fields with a star; the others decide what it learns.',
  'Of `model.name` and `loss.name` there are those named here, and your own (docs/own_network.md).',
  'Paper: what the 3D-EAR paper says. Released: what the code of its authors does, where that differs.',
)


def text(part: str = '') -> str:
  """Returns two lines for each field of a section or of a name, '' for all, and what holds for all of them.

  Raises: UserError where no field is called so.
  """
  chosen = {name: field for name, field in FIELDS.items() if part in ('', name) or name.startswith(f'{part}.')}
  if not chosen:
    sections = sorted({name.partition('.')[0] for name in FIELDS if '.' in name})
    near = nearest(part, [*sections, *FIELDS])
    raise UsageError(f'no section or field is called {part!r}: the sections are {", ".join(sections)}{near}')
  fields = []
  for name, field in chosen.items():
    allowed = _allowed(field)
    fields.append(f'{_marked(name, field)} = {_default(field)}{f" ({allowed})" if allowed else ""}\n    {field.reason}')
  return '\n'.join([*fields, '', *REMARKS])


def markdown() -> str:
  """Returns the page of all fields."""
  lines = [('field', 'default', 'may be', 'what for'), ('---',) * 4]
  lines += [(f'`{_marked(*each)}`', _default(each[1]), _allowed(each[1]), each[1].reason) for each in FIELDS.items()]
  table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
  remarks = '\n'.join(f'- {remark}' for remark in REMARKS)
  return f'# Fields of a configuration\n\nAs `python -m ear_jax.train --fields` prints them.\n\n{remarks}\n\n{table}\n'


def _marked(name: str, field: Field) -> str:
  return name + '*' * (field.decides != 'weights')


def _default(field: Field) -> str:
  value = ','.join(map(str, field.default)) if isinstance(field.default, tuple) else str(field.default)
  return f'{value or "empty"} {field.unit}'.strip()


def _allowed(field: Field) -> str:
  if field.choices:
    return ', '.join(field.choices)
  if isinstance(field.default, bool):
    return 'True, False'
  if field.smallest is None:
    return ''
  return f'{field.smallest} or more' + ('' if field.below == math.inf else f', below {field.below}')
