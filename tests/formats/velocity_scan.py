"""A tiny velocity-mapping scan on disk, to be copied and damaged; real files of the real layout."""

import pathlib
import shutil

import gdcm
import pydicom

from ear_jax.cine import Study
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.phantom import study

ROLES = ('MagAvg', 'PhaseZ', 'PhaseX', 'PhaseY', 'RefMag')
TINY = study.Size('phantom_tiny', 1, 0, (1,), 3, 24, 5.0, 5.0, offset=2.0, sharing=0.0)


def phantom() -> Study:
  """Returns three slices of three frames, 24 x 24 pixels."""
  cines = tuple(study.render(plan) for plan in study.plan(TINY))
  return Study(cines[0].subject, cines[0].dataset, cines)


def edit(path, **tags):
  """Sets tags of one file, or deletes those that are None; a function is called with the data set."""
  image = pydicom.dcmread(path)
  for tag, value in tags.items():
    if callable(value):
      value(image)
    elif value is None:
      delattr(image, tag)
    else:
      setattr(image, tag, value)
  with pydicom.config.disable_value_validation():
    image.save_as(path)


def compress(path, syntax):
  """Compresses one file without loss, by GDCM."""
  reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
  reader.SetFileName(str(path))
  assert reader.Read()
  change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
  change.SetInput(reader.GetImage())
  assert change.Change()
  writer.SetFileName(str(path))
  writer.SetFile(reader.GetFile())
  writer.SetImage(change.GetOutput())
  assert writer.Write()


class Scan:
  """The files of a written study by slice, role and frame."""

  def __init__(self, folder: pathlib.Path, slices: int, frames: int):
    self.folder, self.slices, self.frames = folder, slices, frames

  @classmethod
  def write(cls, study: Study, folder, **options):
    siemens_writer.write(study, folder, **options)
    return cls(folder, len(study.cines), len(study.cines[0].video))

  def copy(self, folder):
    shutil.copytree(self.folder, folder)
    return Scan(folder, self.slices, self.frames)

  def number(self, s, role):
    return 11 + 5 * s + ROLES.index(role)

  def file(self, s=0, role='MagAvg', t=0):
    (path,) = self.folder.glob(f'*.MVM_PHANTOM.{self.number(s, role)}.{t + 1}.2020.*')
    return path

  def files(self, s=None, role=None):
    slices, roles = range(self.slices) if s is None else [s], ROLES if role is None else [role]
    return [self.file(k, r, t) for k in slices for r in roles for t in range(self.frames)]

  def edit(self, s=None, role=None, **tags):
    for path in self.files(s, role):
      edit(path, **tags)
