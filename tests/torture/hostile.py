"""Values that a file should not hold, and damage to bytes; every choice comes from the generator that is given."""

import random

TEXTS = (
  *(
    '',
    ' ',
    '..',
    '.',
    '../../outside',
    '/outside',
    'a/b',
    'C:\\outside',
    'x\\y',
    '\n\n',
    'a\tb',
    '\x1b[31m',
    '\u202e',
  ),
  *('<script>alert(1)</script>', '</script><img src=x onerror=alert(1)>', '\'"><svg/onload=alert(1)>', '{{7*7}}'),
  *('=1+1', '@SUM(1)', '%s%n', '{0}', '[red]', '[/]', 'nan', 'inf', '-1', '1e400', '0x10', 'ä' * 70, 'A' * 70_000),
)
NUMBERS = (
  *(0, -1, 1, 2, 3, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**62, -(2**62)),
  *(0.5, -0.0, 1e-300, 1e300, float('nan'), float('inf'), -float('inf')),
)
JSON = (*TEXTS, *NUMBERS, None, True, False, [], {}, [[]], [0] * 5, {'a': 1}, ['x', None], [1, [2, [3]]])


def scalar(rng: random.Random):
  """Returns a number or a text."""
  return rng.choice(NUMBERS if rng.random() < 0.6 else TEXTS)


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
  """Returns the bytes with one to four damages: cut, flipped, overwritten, removed, repeated, inserted, exchanged."""
  for _ in range(rng.choice((1, 1, 2, 4))):
    data = rng.choice(_BYTES)(data, rng)
  return data


def damage_json(value, rng: random.Random):
  """Returns a JSON value with one member, at any depth, removed, replaced, added or wrapped."""
  places = list(_places(value))
  if not places or rng.random() < 0.03:
    return rng.choice(JSON)
  holder, key = rng.choice(places)
  kind = rng.randrange(4)
  if kind == 0:
    del holder[key]
  elif kind == 1:
    holder[key] = [holder[key]]
  elif kind == 2 and isinstance(holder, dict):
    holder[rng.choice(TEXTS)] = rng.choice(JSON)
  else:
    holder[key] = rng.choice(JSON)
  return value


def _places(value):
  members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
  for key, member in members:
    yield value, key
    yield from _places(member)


def _span(data, rng, longest=64):
  start = rng.randrange(len(data) + 1)
  # Headers lie at the beginning: half of all damage goes there.
  start = min(start, rng.randrange(600)) if rng.random() < 0.5 else start
  return start, min(len(data), start + rng.randint(1, longest))


def _cut(data, rng):
  return data[: _span(data, rng)[0]]


def _flip(data, rng):
  changed = bytearray(data)
  for _ in range(rng.choice((1, 1, 8, 64)) if data else 0):
    at = min(_span(data, rng)[0], len(data) - 1)
    changed[at] ^= 1 << rng.randrange(8)
  return bytes(changed)


def _overwrite(data, rng):
  start, stop = _span(data, rng)
  piece = rng.choice((b'\0', b'\xff', b'A')) * (stop - start) if rng.random() < 0.5 else rng.randbytes(stop - start)
  return data[:start] + piece + data[stop:]


def _remove(data, rng):
  start, stop = _span(data, rng)
  return data[:start] + data[stop:]


def _repeat(data, rng):
  start, stop = _span(data, rng, 4096)
  return data[:stop] + data[start:stop] * rng.choice((1, 3, 50)) + data[stop:]


def _insert(data, rng):
  start, _ = _span(data, rng)
  return data[:start] + rng.randbytes(rng.randint(1, 64)) + data[start:]


def _exchange(data, rng):
  (a, b), (c, d) = sorted((_span(data, rng), _span(data, rng)))
  return data if c < b else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


_BYTES = (_cut, _flip, _flip, _overwrite, _overwrite, _remove, _repeat, _insert, _exchange)
