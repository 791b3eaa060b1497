"""What the project's TFDS builders share: array_record, and data sets that know what they were built from."""

import abc
import dataclasses
import hashlib
import pathlib
from typing import Any

import tensorflow_datasets as tfds

from ear_jax.system.errors import UserError


class StudyBuilder(tfds.core.GeneratorBasedBuilder):
  """A builder of cines; its metadata is a `MetadataDict`, in which it keeps a fingerprint of its source."""

  def __init__(self, *, file_format: Any = None, **kwargs: Any):
    # array_record is read without TensorFlow; TFDS's own default, tfrecord, is not.
    super().__init__(file_format=file_format or tfds.core.FileFormat.ARRAY_RECORD, **kwargs)

  @abc.abstractmethod
  def fingerprint(self, manual_dir: pathlib.Path) -> str:
    """Returns what tells the files in the manual directory from others; '' where the builder needs none."""

  def download_and_prepare(self, *, download_config: Any = None, **kwargs: Any) -> None:
    """Builds the data set, or takes it as it is where it has been built.

    Raises: UserError when it has been built from other files, or with other choices in its config.
    """
    config = download_config or tfds.download.DownloadConfig()
    files = self.fingerprint(pathlib.Path(config.manual_dir)) if config.manual_dir else ''
    own = {field.name for field in dataclasses.fields(self.builder_config)}
    own -= {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
    choices = [(name, getattr(self.builder_config, name)) for name in sorted(own)]
    source = hashlib.sha256(repr((files, choices, config.max_examples_per_split)).encode()).hexdigest()[:12]
    there = self.data_path.exists() and not config.download_mode.overwrite_dataset
    if there and files and self.info.metadata.get('source') != source:
      raise UserError(
        f'{self.data_path} is there, and was built from other files, from files that have changed since, or with other '
        'choices: build it anew with --overwrite, or elsewhere with another --data_dir'
      )
    self.info.metadata['source'] = source
    super().download_and_prepare(download_config=download_config, **kwargs)
