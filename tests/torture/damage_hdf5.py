"""Damage to HDF5 and netCDF-4 files: objects replaced, removed, linked elsewhere, attributes of any kind."""

import pathlib
import random

import h5py
import numpy as np
from hostile import damage_bytes, scalar

_HUGE = ((2**40,), (50, 2**20, 2**20, 4), (5, 2**16, 2**16, 2**16), (2**31, 1, 1, 4))


def damage(path: pathlib.Path, rng: random.Random) -> str:
  """Damages the file; returns what was done."""
  if rng.random() < 0.25:
    path.write_bytes(damage_bytes(path.read_bytes(), rng))
    return f'{path.name}: bytes'
  with h5py.File(path, 'r+') as h5:
    names = ['/']
    h5.visit(names.append)
    name = rng.choice(names)
    what, change = rng.choice(_CHANGES)
    try:
      change(h5, name, rng)
    except Exception:  # some objects cannot be removed or hold such a value
      what = f'{what} (not possible)'
  return f'{path.name}: {what} at {name}'


def _dtype(rng):
  return rng.choice(
    (
      *('f2', 'f4', 'f8', 'i1', 'u1', 'i4', 'u8', 'c8', 'c16', '?', 'S3', 'V8'),
      *(
        [('a', 'f4'), ('b', 'S2')],
        h5py.string_dtype(),
        h5py.vlen_dtype('i4'),
        h5py.enum_dtype({'A': 1}),
        h5py.ref_dtype,
      ),
    )
  )


def _shape(rng, old=()):
  if old and rng.random() < 0.6:
    shape = list(old)
    shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, 5, 2**33))
    return tuple(shape)
  return rng.choice(((), (0,), (1,), (3,), (2, 2), (1, 1, 1, 1), (3, 1, 1, 4), (1, 2, 1, 2, 1), *_HUGE))


def _replace(h5, name, rng):
  old = h5[name]
  shape = old.shape if isinstance(old, h5py.Dataset) else ()
  attributes = dict(old.attrs) if rng.random() < 0.5 else {}
  del h5[name]
  shape = shape if rng.random() < 0.3 else _shape(rng, shape)
  large = np.prod(shape, dtype=float) > 1e6
  made = h5.create_dataset(name, shape, _dtype(rng), chunks=True if large else None)
  if not large and shape and made.dtype.kind in 'fiu':
    made[...] = np.random.default_rng(rng.randrange(99)).choice([0, 1, 2, 2048, 4095, 1e30, np.nan, -1], shape)
  for key, value in attributes.items():
    made.attrs[key] = value


def _values(h5, name, rng):
  item = h5[name]
  assert item.dtype.kind in 'fiu'
  values = item[()]
  where = np.random.default_rng(rng.randrange(99)).random(values.shape) < rng.choice((0.001, 0.1, 1.1))
  limit = np.iinfo(values.dtype) if values.dtype.kind in 'iu' else None
  value = rng.choice((0, 1, -1, 4096, 1e30, np.nan, np.inf))
  values[where] = value if limit is None else rng.choice((limit.min, limit.max, 0, 1))
  item[...] = values


def _attribute(h5, name, rng):
  item = h5[name]
  keys = [*item.attrs, 'venc', 'spacing', 'frame_interval', 'signs', 'level', 'scale_factor', '_FillValue', 'units']
  keys += ['orientation', 'timeshift', 'coordinates', '_Netcdf4Dimid', 'DIMENSION_LIST', 'add_offset', 'dtype']
  key = rng.choice(keys)
  if key in item.attrs and rng.random() < 0.2:
    del item.attrs[key]
    return
  value = rng.choice(
    (
      *(scalar(rng), scalar(rng), [scalar(rng)] * 3, np.array([0, 0, 0]), np.array([np.nan, 1, 1]), h5py.Empty('f4')),
      *(
        np.full(rng.choice((2, 3, 4)), rng.choice((0, -1, 1e300, np.inf))),
        np.zeros((2, 2)),
        b'\xff\xfe',
        'days since 1',
      ),
    )
  )
  item.attrs[key] = value


def _remove(h5, name, rng):
  del h5[name]


def _rename(h5, name, rng):
  text = rng.choice(('..', '.x', 'a b', '<b>', 'ä', '\n', 'x' * 300, '=1', '-', 'con', '__proto__', 'A\x1b[31m'))
  h5.move(name, text)


def _link(h5, name, rng):
  del h5[name]
  h5[name] = rng.choice(
    (
      *(h5py.ExternalLink('/etc/passwd', '/'), h5py.ExternalLink('../outside.h5', '/x'), h5py.SoftLink('/nothing')),
      *(h5py.SoftLink('/'), h5py.SoftLink(name), h5['/']),
    )
  )


def _elsewhere(h5, name, rng):
  """The values of this data set are the bytes of another file."""
  old = h5[name]
  shape, dtype = old.shape, old.dtype
  del h5[name]
  if rng.random() < 0.5:
    h5.create_dataset(name, shape, dtype, external=[('/etc/passwd', 0, h5py.h5f.UNLIMITED)])
  else:
    layout = h5py.VirtualLayout(shape, dtype)
    layout[...] = h5py.VirtualSource('/etc/passwd', 'x', shape)
    h5.create_virtual_dataset(name, layout)


_CHANGES = (
  *(('replaced', _replace), ('replaced', _replace), ('values', _values), ('attribute', _attribute)),
  *(('attribute', _attribute), ('removed', _remove), ('renamed', _rename), ('link', _link), ('elsewhere', _elsewhere)),
)
