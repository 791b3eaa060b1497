"""TFDS builder of magnitude cines with masks of the myocardium: a folder of the user's own, or of public sets.

    tfds build data_builders/cine --config=folder --manual_dir=<studies> --data_dir=<where it goes>
    tfds build data_builders/cine --config='{"name": "mine", "label": 2}' --manual_dir=<studies> --data_dir=<...>

All reading is in `ear_jax.formats`; this file says which features there are and hands the cines over.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from ear_jax.data import records, upright
from ear_jax.data.builder import StudyBuilder
from ear_jax.formats import folder, labels
from ear_jax.formats.choices import Choices


@dataclasses.dataclass(eq=False, kw_only=True)
class CineConfig(tfds.core.BuilderConfig):
  """How masks are read; as JSON on the command line these are a config of your own.

  Attributes:
    label: value of the myocardium in masks of several values, where their layout does not say it.
    choices: what else a person decides, by the names of `formats.choices`: {"trusted": true} for contours that do not
      seem to lie on a wall, {"gaps": "accept"}, {"repeated": "last"}.
    structures: keep cavity and right ventricle too, as `labels` of the record.
  """

  label: int | None = None
  choices: dict = dataclasses.field(default_factory=dict)
  structures: bool = False


class Builder(StudyBuilder):
  """Magnitude cines, one example a slice, keyed by `dataset/slice`; one split, `train`, holds everything."""

  VERSION = tfds.core.Version('1.0.0')
  RELEASE_NOTES = {'1.0.0': 'First version.'}  # noqa: RUF012  (the base class declares it so)
  MANUAL_DOWNLOAD_INSTRUCTIONS = """\
  Put studies with contours or masks into the manual directory: DICOM, NIfTI, or ACDC, M&Ms, UK Biobank's short axes and
  nnU-Net's folders as they are distributed; docs/data.md describes them."""
  BUILDER_CONFIGS = [  # noqa: RUF012
    CineConfig(name='folder', description='The studies in the manual directory.'),
    CineConfig(name='structures', structures=True, description='The same, with cavity and right ventricle kept.'),
  ]

  def fingerprint(self, manual_dir: pathlib.Path) -> str:
    return folder.fingerprint(manual_dir)

  def _info(self) -> tfds.core.DatasetInfo:
    features = records.features(channels=1, labels=self.builder_config.structures)
    # Which way up the pictures are: a network that is trained on them shows itself others so.
    metadata = tfds.core.MetadataDict(axes=upright.CLINICAL)
    return self.dataset_info_from_configs(features=features, supervised_keys=None, metadata=metadata)

  def _split_generators(self, dl_manager: tfds.download.DownloadManager):
    choices = Choices(label=self.builder_config.label, **self.builder_config.choices)
    cines = folder.read(dl_manager.manual_dir, channels=1, referenced=True, choices=choices)
    return {'train': self._generate_examples(cines)}

  def _generate_examples(self, cines) -> Iterator[tuple[str, dict]]:
    for cine, source in cines:
      turn = upright.Turn()
      if cine.place is None:
        self.info.metadata['axes'] = None  # as the file has it, whichever way that is
      else:
        turn = upright.turn_between(upright.axes_of(cine.place), upright.CLINICAL)
      example = records.encode_cine(upright.turned(cine, turn))
      if self.builder_config.structures:
        found = np.uint8(labels.MYOCARDIUM) * cine.mask if source.labels is None else source.labels
        example['labels'] = np.ascontiguousarray(upright.picture_turned(found, turn))
      yield cine.name, example
