"""What the project's TFDS builders share: array_record, and data sets that know what they were built from."""

import abc
import contextlib
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from ear_jax.system.errors import UserError


class StudyBuilder(tfds.core.GeneratorBasedBuilder):
  """A builder of cines; its metadata is a `MetadataDict`, in which it keeps a fingerprint of its source."""

  def __init__(self, *, file_format: Any = None, **kwargs: Any):
    # array_record is read without TensorFlow; TFDS's own default, tfrecord, is not.
    super().__init__(file_format=file_format or tfds.core.FileFormat.ARRAY_RECORD, **kwargs)

  @property
  def reads_files(self) -> bool:
    """Whether the builder needs files in the manual directory."""
    return True

  @abc.abstractmethod
  def fingerprint(self, manual_dir: pathlib.Path) -> str:
    """Returns what tells the files in the manual directory from others."""

  def download_and_prepare(self, *, download_config: Any = None, **kwargs: Any) -> None:
    """Builds the data set, or takes it as it is where it has been built.

    Raises: UserError when there are no files to read, or it has been built from other files, or with other choices in
      its config. The command `tfds` ends with the sentence alone.
    """
    with _in_a_sentence():
      self._prepare(download_config or tfds.download.DownloadConfig(), kwargs | {'download_config': download_config})

  def _prepare(self, config: Any, arguments: dict[str, Any]) -> None:
    there = self.data_path.exists() and not config.download_mode.overwrite_dataset
    files = ''
    if self.reads_files and (config.manual_dir or not there):
      files = self.fingerprint(self._files(config.manual_dir))
    own = {field.name for field in dataclasses.fields(self.builder_config)}
    own -= {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
    choices = [(name, getattr(self.builder_config, name)) for name in sorted(own)]
    source = hashlib.sha256(repr((files, choices, config.max_examples_per_split)).encode()).hexdigest()[:12]
    if there and files and self.info.metadata.get('source') != source:
      raise UserError(
        f'{self.data_path} is there, and was built from other files, from files that have changed since, or with other '
        'choices: build it anew with --overwrite, or elsewhere with another --data_dir'
      )
    self.info.metadata['source'] = source
    super().download_and_prepare(**arguments)

  def _files(self, manual_dir: str | None) -> pathlib.Path:
    """Returns the manual directory, TFDS's own where none is given; raises UserError where nothing is in it."""
    place = pathlib.Path(manual_dir or pathlib.Path(self._data_dir_root) / 'downloads/manual').expanduser()
    if not place.is_dir() or not any(place.iterdir()):
      wrong = 'is empty' if place.is_dir() else 'is a file' if place.exists() else 'does not exist'
      asked = ' '.join((self.MANUAL_DOWNLOAD_INSTRUCTIONS or '').split())
      raise UserError(
        f'{self.info.full_name} is made of files in the manual directory, and {place} {wrong}: say where they are with '
        f'--manual_dir. {asked}'
      )
    return place


@contextlib.contextmanager
def _in_a_sentence() -> Iterator[None]:
  """Ends the command `tfds` with our sentence in place of a traceback; for a caller in Python the fault is raised."""
  try:
    yield
  except ValueError as fault:  # UserError, or MalformedStudy of a room that this one does not know
    program = pathlib.Path(sys.argv[0])
    command = program.stem == 'tfds' or program.parts[-2:] == ('cli', 'main.py')
    if not command or not type(fault).__module__.startswith('ear_jax.'):
      raise
    sys.exit(f'error: {fault}')
