"""Sound studies of every format, small, to be damaged: one slice of a phantom of 24 x 24 pixels and 4 frames."""

import dataclasses
import functools
import pathlib
import sys

import gdcm
import h5py
import numpy as np
import pydicom

from ear_jax.analysis.motion import Settings
from ear_jax.cine import Cine, Study
from ear_jax.formats import hdf5, nifti, strainmap
from ear_jax.formats.siemens import writer as siemens_writer
from ear_jax.formats.source import Source
from ear_jax.phantom import study
from ear_jax.workflows.examine import Options, examine

sys.path.append(str(pathlib.Path(__file__).parents[1] / 'formats'))
from velocity_scan import compress

_TINY = study.Size('phantom_tiny', 1, 0, (1,), 4, 24, 5.0, 5.0, offset=2.0, sharing=0.0)
FORMATS = ('dicom', 'cine_dicom', 'compressed_dicom', 'hdf5', 'nifti', 'strainmap_train')


@functools.cache
def cine() -> Cine:
  """Returns the middle slice, with its mask in every frame."""
  return study.render(study.plan(_TINY)[1])


def write(form: str, folder: pathlib.Path) -> None:
  """Writes the study in one of `FORMATS` into `folder`."""
  one = cine()
  folder.mkdir(parents=True, exist_ok=True)
  if form == 'dicom':
    siemens_writer.write(Study(one.subject, one.dataset, (one,)), folder)
  elif form == 'compressed_dicom':
    siemens_writer.write(Study(one.subject, one.dataset, (one,)), folder)
    syntaxes = gdcm.TransferSyntax.JPEG2000Lossless, gdcm.TransferSyntax.JPEGLosslessProcess14_1
    for index, path in enumerate(sorted(folder.iterdir())):
      compress(path, (*syntaxes, gdcm.TransferSyntax.RLELossless, gdcm.TransferSyntax.JPEGLSLossless)[index % 4])
  elif form == 'cine_dicom':
    siemens_writer.write(Study(one.subject, one.dataset, (one,)), folder)
    for path in sorted(folder.iterdir()):
      if path.name.split('.')[3] != '11':
        path.unlink()
      else:
        _make_plain(path)
  elif form == 'hdf5':
    hdf5.write(Study(one.subject, one.dataset, (one,)), folder / f'{one.dataset}.h5')
  elif form == 'nifti':
    nifti.write(one, folder)
  else:
    _write_export(folder / 'somebody_1_123_train.nc')


def write_contours(path: pathlib.Path) -> None:
  """Writes the contours of the slice as StrainMap's file, under the name that the DICOM reader gives the slice."""
  one = cine().replace(slice_id='slice-00')
  found = examine(one, Source(), [], Options(Settings()))
  motion = dataclasses.replace(found.result.motion)
  strainmap.write(path, [motion], ['slice-00'], pseudonym='contours')


def _make_plain(path):
  image = pydicom.dcmread(path)
  image.remove_private_tags()
  del image.ImageComments
  image.save_as(path)


def _write_export(path):
  one = cine()
  phase = np.rint(2048 + 2048 * one.video[..., 1:] / np.float32(one.venc)).clip(0, 4095)
  pictures = [one.video[..., 0], *np.moveaxis(phase, -1, 0), one.mask]
  with h5py.File(path, 'w') as h5:
    h5['stacked'] = np.stack(pictures).astype(np.int32)
    h5['comp'] = ['MAG', 'X', 'Y', 'Z', 'LABELS']
