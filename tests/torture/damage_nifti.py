"""Damage to NIfTI files and to the JSON beside them: headers, packing, settings."""

import gzip
import json
import pathlib
import random
import struct

from hostile import NUMBERS, damage_bytes, damage_json

# Offset and form of fields of the NIfTI-1 header.
_FIELDS = {
  'sizeof_hdr': (0, 'i'),
  **{f'dim[{k}]': (40 + 2 * k, 'h') for k in range(8)},
  'datatype': (70, 'h'),
  'bitpix': (72, 'h'),
  **{f'pixdim[{k}]': (76 + 4 * k, 'f') for k in range(8)},
  'vox_offset': (108, 'f'),
  'scl_slope': (112, 'f'),
  'scl_inter': (116, 'f'),
  'xyzt_units': (123, 'B'),
  'magic': (344, 'i'),
}
_LIMITS = {'h': (-(2**15), 2**15 - 1), 'i': (-(2**31), 2**31 - 1), 'B': (0, 255)}


def damage(folder: pathlib.Path, rng: random.Random) -> str:
  """Damages a video, a mask or the settings; returns what was done."""
  path = rng.choice(sorted(path for path in folder.iterdir() if path.is_file()))
  if path.suffix == '.json':
    if rng.random() < 0.3:
      path.write_bytes(damage_bytes(path.read_bytes(), rng))
      return f'{path.name}: bytes'
    path.write_text(json.dumps(damage_json(json.loads(path.read_text()), rng)))
    return f'{path.name}: settings'
  if rng.random() < 0.2:
    path.write_bytes(damage_bytes(path.read_bytes(), rng))
    return f'{path.name}: packed bytes'
  data = bytearray(gzip.decompress(path.read_bytes()))
  if rng.random() < 0.2:
    data, what = bytearray(damage_bytes(bytes(data), rng)), 'bytes'
  else:
    what = _set_fields(data, rng)
  path.write_bytes(gzip.compress(bytes(data), 1))
  if rng.random() < 0.1:
    path.with_name(path.name.removesuffix('.gz')).write_bytes(bytes(data))
  return f'{path.name}: {what}'


def _set_fields(data, rng):
  names = rng.sample(sorted(_FIELDS), rng.choice((1, 1, 2, 4)))
  for name in names:
    offset, form = _FIELDS[name]
    value = rng.choice(NUMBERS)
    if form != 'f':
      low, high = _LIMITS[form]
      value = rng.choice((0, 1, 2, 4, 5, 7, 8, 16, 64, 128, 256, 512, 768, 1024, 1792, 2304, low, high, -1))
      value = min(max(value, low), high)
    elif abs(value) > 3e38:
      value = 3e38
    struct.pack_into(f'<{form}', data, offset, value)
  return ', '.join(names)
