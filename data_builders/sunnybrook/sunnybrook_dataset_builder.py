"""TFDS builder of the Sunnybrook Cardiac Data: real magnitude cines with expert contours at end diastole.

    tfds build data_builders/sunnybrook --config=frames --manual_dir=<folder> --data_dir=<where it goes>

All reading is in `ear_jax.formats`; this file says which features there are and hands the cines over.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import tensorflow_datasets as tfds

from ear_jax.data import records, upright
from ear_jax.data.builder import StudyBuilder
from ear_jax.formats import folder, sunnybrook, sunnybrook_cine


@dataclasses.dataclass(eq=False, kw_only=True)
class SunnybrookConfig(tfds.core.BuilderConfig):
  """Which of the two layouts to read; `folder` is its place within the manual directory."""

  folder: str = 'frames'


class Builder(StudyBuilder):
  """Sunnybrook Cardiac Data, one example a cine, keyed by `dataset/slice`; one split, `train`, holds everything."""

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {'1.0.0': 'First version.'}  # noqa: RUF012  (the base class declares it so)
  MANUAL_DOWNLOAD_INSTRUCTIONS = """\
  Get the data from the Cardiac Atlas Project (CC0 1.0) and arrange it as this builder's README.md shows:
  frames/{images,endo,epi} for the config `frames`, cine/{images,contours} for the config `cine`."""
  BUILDER_CONFIGS = [  # noqa: RUF012
    SunnybrookConfig(name='frames', folder='frames', description='End-diastolic frames (PNG), T = 1.'),
    SunnybrookConfig(name='cine', folder='cine', description='Whole cines (DICOM), annotated at end diastole.'),
  ]

  def fingerprint(self, manual_dir: pathlib.Path) -> str:
    return folder.fingerprint(manual_dir)

  def _info(self) -> tfds.core.DatasetInfo:
    return self.dataset_info_from_configs(
      features=records.features(channels=1),
      supervised_keys=None,
      # Which way up the pictures are; frames do not say it, but 32 of the 35 patients lie so.
      metadata=tfds.core.MetadataDict(axes=upright.CLINICAL),
      homepage='https://www.cardiacatlas.org/sunnybrook-cardiac-data/',
    )

  def _split_generators(self, dl_manager: tfds.download.DownloadManager):
    root = dl_manager.manual_dir / self.builder_config.folder
    read = {'frames': sunnybrook.read_frames, 'cine': sunnybrook_cine.read_cines}[self.builder_config.folder]
    return {'train': self._generate_examples(read(root))}

  def _generate_examples(self, cines) -> Iterator[tuple[str, dict]]:
    for cine in cines:
      yield cine.name, records.encode_cine(upright.upright(cine, upright.CLINICAL))
