"""TFDS builder of myocardial velocity mapping studies: the digital phantom, or a folder of the user's own.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=<where it goes>
    tfds build data_builders/mvm_cmr --config=phantom_other --data_dir=<where it goes>
    tfds build data_builders/mvm_cmr --config=phantom_many --data_dir=<where it goes>
    tfds build data_builders/mvm_cmr --config=phantom_varied --data_dir=<where it goes>
    tfds build data_builders/mvm_cmr --config=phantom_paper --beam_pipeline_options=runner=... --data_dir=<...>
    tfds build data_builders/mvm_cmr --config=folder --manual_dir=<studies> --data_dir=<where it goes>

Rendering is in `ear_jax.phantom`, reading in `ear_jax.formats`; this file says how they become examples.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator

import tensorflow_datasets as tfds
from absl import logging

from ear_jax.cine import Cine
from ear_jax.data import records, upright
from ear_jax.data.builder import StudyBuilder
from ear_jax.formats import folder
from ear_jax.formats.choices import Choices
from ear_jax.phantom import study


@dataclasses.dataclass(eq=False, kw_only=True)
class MvmCmrConfig(tfds.core.BuilderConfig):
  """Where the cines come from.

  Attributes:
    phantom: 'mini', 'many', 'varied', 'crowd' or 'paper', the digital study; '': studies in the manual directory.
    seed: of the phantom's cohort; another seed is other people.
    label: value of the myocardium in masks of several values, for the studies in the manual directory.
    choices: what else a person decides of them, by the names of `formats.choices`: {"trusted": true} for contours that
      do not seem to lie on a wall, {"venc": [20, 20, 30]}, {"gaps": "accept"}, {"repeated": "last"}.
    beam: whether Apache Beam renders the phantom where a runner is named, so that a cluster can share the work.
  """

  phantom: str = ''
  seed: int = 0
  label: int | None = None
  choices: dict = dataclasses.field(default_factory=dict)
  beam: bool = False


class Builder(StudyBuilder):
  """MVM-CMR studies, one example a cine, keyed by `dataset/slice`; one split, `train`, holds everything."""

  VERSION = tfds.core.Version('2.0.0')
  RELEASE_NOTES = {  # noqa: RUF012  (the base class declares it so)
    '1.0.0': 'First version.',
    '2.0.0': 'Phantoms: no density error at the centre of k-space, so that spirals have velocities 2 to 4 % larger.',
  }
  MANUAL_DOWNLOAD_INSTRUCTIONS = """\
  Only for the config `folder`: put your studies into the manual directory, with their contours: velocity-mapping DICOM,
  HDF5 (<dataset>.h5), NIfTI (<dataset>_<slice>_video.nii.gz) or exports of StrainMap; docs/data.md describes them."""
  BUILDER_CONFIGS = [  # noqa: RUF012
    MvmCmrConfig(name='phantom_mini', phantom='mini', description='Digital phantom, small enough for a laptop.'),
    MvmCmrConfig(name='phantom_other', phantom='mini', seed=1, description='Twelve other people like phantom_mini.'),
    MvmCmrConfig(name='phantom_many', phantom='many', seed=5, description='Forty more, to train the shipped network.'),
    MvmCmrConfig(
      name='phantom_varied', phantom='varied', seed=8, description='Sixty people and scanners of every look.'
    ),
    MvmCmrConfig(
      name='phantom_crowd',
      phantom='crowd',
      seed=7,
      description='A thousand of every look, to train networks that ship.',
    ),
    MvmCmrConfig(name='phantom_paper', phantom='paper', beam=True, description='Digital phantom in the paper size.'),
    MvmCmrConfig(name='folder', version=tfds.core.Version('1.0.0'), description='The studies in the manual directory.'),
  ]

  _max_examples: int | None = None
  _has_runner = False

  def fingerprint(self, manual_dir: pathlib.Path) -> str:
    return '' if self.builder_config.phantom else folder.fingerprint(manual_dir)

  def download_and_prepare(self, *, download_config: tfds.download.DownloadConfig | None = None, **kwargs):
    """Builds the data set; `--max_examples_per_split` holds for the Beam config too, where TFDS ignores it."""
    if download_config:
      self._max_examples = download_config.max_examples_per_split
      self._has_runner = bool(download_config.beam_options or download_config.beam_runner)
    super().download_and_prepare(download_config=download_config, **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    # Which way up the pictures are: a network that is trained on them shows itself others so.
    metadata = tfds.core.MetadataDict(axes=self._axes)
    return self.dataset_info_from_configs(
      features=records.features(channels=4), supervised_keys=None, metadata=metadata
    )

  @property
  def _axes(self) -> upright.Axes:
    return upright.CLINICAL if self.builder_config.phantom == 'varied' else upright.FROM_BASE

  def _split_generators(self, dl_manager: tfds.download.DownloadManager):
    config = self.builder_config
    if not config.phantom:
      choices = Choices(label=config.label, **config.choices)
      cines = folder.read(dl_manager.manual_dir, channels=4, referenced=True, choices=choices)
      return {'train': self._generate_examples(cine for cine, _ in cines)}
    plans = study.plan(getattr(study, config.phantom.upper()), config.seed)[: self._max_examples]
    # Beam's local default runner keeps every example in memory, several times over: without a runner of the user's
    # choice we render one cine after another instead, and TFDS keeps at most a gigabyte.
    if config.beam and self._has_runner:
      return {'train': _rendered_by_beam(plans)}
    return {'train': self._generate_examples(map(study.render, plans))}

  def _generate_examples(self, cines: Iterable[Cine]) -> Iterator[tuple[str, dict]]:
    for cine in cines:
      if cine.place is None and not self.builder_config.phantom:
        self.info.metadata['axes'] = None  # as the file has it, whichever way that is
      yield cine.name, records.encode_cine(upright.upright(cine, self._axes))


def _rendered_by_beam(plans: Iterable[study.SlicePlan]):
  """Returns the Beam transform that renders each plan to its key and example, wherever the runner puts it."""
  beam = tfds.core.lazy_imports.apache_beam

  # A nested function is pickled by value: a worker needs `ear_jax`, but not this file, which no package holds.
  def render(slice_plan):
    cine = study.render(slice_plan)
    logging.info('rendered %s', cine.name)
    return cine.name, records.encode_cine(cine)

  # Plans are a few numbers each. Reshuffle deals them out, or one worker would render all that Create made.
  return beam.Create(plans) | beam.Reshuffle() | beam.Map(render)
