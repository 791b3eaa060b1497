"""A magnitude cine of three slices on disk, to be changed: real files of the layout that archives give."""

import numpy as np
import pydicom
from pydicom.uid import generate_uid
from velocity_scan import edit

SHORT_AXIS = [-0.663614599, -0.748074638, 0, -0.418817106, 0.371531304, -0.828587184]  # its normal is the apex's way
APEXWARD = np.cross(SHORT_AXIS[:3], SHORT_AXIS[3:])
UID = '1.2.3.4'


class Stack:
  """Three slices of four frames, each slice a series; slice 0 at the base, pixel value 10 * slice + frame.

  Of more than ten frames 100 * slice + frame.
  """

  def __init__(self, folder, write_dicom, *, frames=4, step=150.0):
    self.folder, self._write, self.frames, self.step = folder, write_dicom, frames, step
    rng = np.random.default_rng(1)
    names = iter(rng.permutation(3 * frames))
    for s in (2, 0, 1):
      for t in map(int, rng.permutation(frames)):
        self.add(f'{next(names):02d}', s, t)

  def value(self, s, t):
    """Returns the value of all pixels of a picture."""
    return (10 if self.frames <= 10 else 100) * s + t

  def whole(self):
    """Returns the values of all frames of the slices, from base to apex."""
    return [[self.value(s, t) for t in range(self.frames)] for s in range(3)]

  def add(self, name, s, t, pixels=None, **tags):
    """Writes one more picture, as frame t of slice s with other tags."""
    tags = {
      'StudyInstanceUID': UID,
      'SeriesInstanceUID': f'{UID}.{s}',
      'SeriesNumber': s + 1,
      'SOPInstanceUID': generate_uid(),
      'SOPClassUID': '1.2.840.10008.5.1.4.1.1.4',
      'Modality': 'MR',
      'ImageOrientationPatient': SHORT_AXIS,
      'ImagePositionPatient': list((8.0 * s + 3) * APEXWARD),
    } | tags
    there = {'trigger': 5.0 + self.step * t, 'instance': 1 + t} | tags
    self._write(self.folder / f's{s}' / name, np.full((6, 8), self.value(s, t)) if pixels is None else pixels, **there)

  def again(self, s, **tags):
    """Writes all pictures of slice s once more, with values 50 higher."""
    for t in range(self.frames):
      self.add(f'again{tags["SeriesNumber"]}-{t}', s, t, pixels=np.full((6, 8), 50 + self.value(s, t)), **tags)

  def files(self, s):
    return sorted((self.folder / f's{s}').iterdir())

  def file(self, s, t):
    return next(path for path in self.files(s) if pydicom.dcmread(path).InstanceNumber == 1 + t)

  def edit(self, s=None, **tags):
    """Sets tags of a slice, or of all; those given as functions of slice and frame as they say."""
    for k in range(3) if s is None else [s]:
      for path in self.files(k):
        t = pydicom.dcmread(path).InstanceNumber - 1
        edit(path, **{tag: value(k, t) if callable(value) else value for tag, value in tags.items()})
