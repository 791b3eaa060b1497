"""Phase contrast with one file a frame: Siemens VB to VE, Siemens XA exported as classic, Philips, GE.

Each function writes a phantom `Scan` and returns the venc (cm/s) of each file's direction that it used.
"""

import pathlib
import struct

import numpy as np
from layouts.scan import Exporter, Scan, in_plane, nearest
from pydicom.dataset import Dataset


def siemens(scan: Scan, folder: pathlib.Path, venc=(30, 20, 20)) -> None:
  """Magnitude, complex difference and phase are three series a direction; `MAG` is no magnitude.

  Stored p of 12 bits: velocity = venc (2 p - 4096) / 4096 along the label. Through the plane is against the normal.
  """
  export, series = Exporter(scan, folder, 'SIEMENS'), 20
  for index in range(len(scan.study.cines)):
    for letters, limit in zip(('in', *in_plane(scan)), venc, strict=True):
      direction = -scan.normal if letters == 'in' else nearest(scan, letters)
      label = f'v{limit}_through' if letters == 'in' else f'v{limit}_inplane_{letters}'
      phase = _counts(scan.velocity(index, direction) / limit)
      difference = (np.abs(scan.velocity(index, direction)) / limit * 4095).clip(0, 4095).astype(np.uint16)
      for kind, pictures in (('M', scan.magnitude(index)), ('MAG', difference), ('P', phase)):
        series += 1
        for frame, stored in enumerate(pictures):
          image = export.picture(series, index, frame, stored)
          image.ImageType = ['ORIGINAL', 'PRIMARY', kind, 'RETRO', 'ND']
          image.SequenceName = f'*fl2d1_v{limit}{letters}'
          block = image.private_block(0x0051, 'SIEMENS MR HEADER', create=True)
          block.add_new(0x14, 'LO', label)
          block.add_new(0x0E, 'LO', 'Tra>Cor(-30)>Sag(20)')
          csa = image.private_block(0x0029, 'SIEMENS CSA HEADER', create=True)
          csa.add_new(0x10, 'OB', _csa(FlowVenc=f'{limit}', FlowEncodingDirection='4'))
          if kind == 'P':
            image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 2, -4096, 'US'
          export.save(image)


def siemens_xa(scan: Scan, folder: pathlib.Path, venc=(30, 20, 20)) -> None:
  """XA in interoperability mode: classic files, the label in the block SIEMENS MR SDI 02; through is the normal."""
  export, series = Exporter(scan, folder, 'Siemens Healthineers'), 10
  for index in range(len(scan.study.cines)):
    for letters, limit in zip(('through', *in_plane(scan)), venc, strict=True):
      direction = scan.normal if letters == 'through' else nearest(scan, letters)
      phase = _counts(scan.velocity(index, direction) / limit)
      for kind, pictures in (('M', scan.magnitude(index)), ('P', phase)):
        series += 1
        for frame, stored in enumerate(pictures):
          image = export.picture(series, index, frame, stored)
          image.ImageType = ['ORIGINAL', 'PRIMARY', kind, 'NONE']
          image.private_block(0x0021, 'SIEMENS MR SDS 01', create=True).add_new(0x01, 'IS', '90')
          label = f'v{limit}_through' if letters == 'through' else f'v{limit}_inplane_{letters}'
          inner = Dataset()
          inner.private_block(0x0021, 'SIEMENS MR SDI 02', create=True).add_new(0x29, 'SH', label)
          image.private_block(0x0021, 'SIEMENS MR SDI 02', create=True).add_new(0xFE, 'SQ', [inner])
          if kind == 'P':
            image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 2, -4096, 'US'
          export.save(image)


def philips(scan: Scan, folder: pathlib.Path, venc=(45, 40, 50)) -> None:
  """One series a direction with magnitude, complex difference and velocity in it; instance numbers run on.

  Directions are the patient's: (2001,101A) is the venc along left, back, head. Velocity = slope p + intercept, cm/s.
  """
  export = Exporter(scan, folder, 'Philips Medical Systems')
  for number, (direction, limit) in enumerate(zip(np.eye(3), venc, strict=True)):
    instance = 0
    for index in range(len(scan.study.cines)):
      velocity = scan.velocity(index, direction)
      slope = 2 * limit / 4095
      phase = np.rint((velocity + limit) / slope).astype(np.uint16)
      assert phase.max() <= 4095
      for words, pictures in (
        (['M_FFE', 'M', 'FFE'], scan.magnitude(index)),
        (['M_PCA', 'M', 'PCA'], (np.abs(velocity) * 20).astype(np.uint16)),
        (['PHASE CONTRAST M', 'P', 'PCA'], phase),
      ):
        for frame, stored in enumerate(pictures):
          instance += 1
          image = export.picture(101 + 100 * number, index, frame, stored)
          image.InstanceNumber, image.ImageType = instance, ['ORIGINAL', 'PRIMARY', *words]
          block = image.private_block(0x2001, 'Philips Imaging DD 001', create=True)
          block.add_new(0x1A, 'FL', [float(v) for v in limit * direction])
          block.add_new(0x08, 'IS', str(frame + 1))
          if words[1] == 'P':
            image.RescaleSlope, image.RescaleIntercept, image.RescaleType = f'{slope:.12f}', f'{-limit}', 'cm/s'
          else:
            image.RescaleSlope, image.RescaleIntercept, image.RescaleType = '1.29', '0', 'normalized'
          export.save(image)


def ge(scan: Scan, folder: pathlib.Path, venc=(300, 200, 200), *, weighted: bool = False) -> None:
  """One series a direction, magnitude and signed velocity in it; venc in mm/s, here along the picture's own axes.

  Velocity = p venc / (pi scale), by the magnitude too where the pixels are weighted by it. Positive: to the left, back,
  feet.
  """
  export, flags = Exporter(scan, folder, 'GE MEDICAL SYSTEMS'), {'rl': 9, 'ap': 10, 'si': 11}
  letters = [{'fh': 'si'}.get(one, one) for one in in_plane(scan)]
  through = next(one for one in flags if one not in letters)
  toward = {'rl': (1, 0, 0), 'ap': (0, 1, 0), 'si': (0, 0, -1)}
  for number, (name, limit) in enumerate(zip((through, *letters), venc, strict=True)):
    axis = (scan.normal, scan.across, scan.down)[number]
    direction = axis * np.sign(axis @ np.array(toward[name]))
    for index in range(len(scan.study.cines)):
      magnitude = scan.magnitude(index).astype(np.int16)
      scale = 1.718874 if weighted else 4096 / np.pi  # counts of a phase of 1 rad
      phase = scan.velocity(index, direction) * 10 / limit * np.pi  # rad
      stored = np.rint(phase * scale * (magnitude if weighted else 1)).astype(np.int16)
      for flag, pictures in ((2, magnitude), (flags[name], stored)):
        for frame, picture in enumerate(pictures):
          image = export.picture(10 * index + number + 3, index, frame, picture)
          image.InstanceNumber = 2 * frame + (1 if flag == 2 else 2)
          image.ImageType = ['ORIGINAL', 'PRIMARY', 'OTHER']
          block = image.private_block(0x0019, 'GEMS_ACQU_01', create=True)
          block.add_new(0xCC, 'SS', limit)
          block.add_new(0xE2, 'DS', f'{scale:.9g}')
          block = image.private_block(0x0043, 'GEMS_PARM_01', create=True)
          block.add_new(0x30, 'SS', flag)
          block.add_new(0x32, 'SS', 1 if weighted else 0)
          export.save(image)


def _counts(fraction: np.ndarray) -> np.ndarray:
  """12-bit phase of velocities as a fraction of venc: 2048 is none."""
  return np.mod(np.rint(2048 + 2048 * fraction), 4096).astype(np.uint16)


def _csa(**values: str) -> bytes:
  """A Siemens CSA2 header: the count of tags, then each with name, count, kind and padded items."""
  found = b'SV10\x04\x03\x02\x01' + struct.pack('<II', len(values), 77)
  for name, value in values.items():
    found += struct.pack('<64si4siii', name.encode(), 1, b'FD\0\0', 4, 6, 77)
    for item in (value.encode() + b'\0', *[b''] * 5):
      found += struct.pack('<4i', len(item), len(item), 77, len(item)) + item + b'\0' * (-len(item) % 4)
  return found
