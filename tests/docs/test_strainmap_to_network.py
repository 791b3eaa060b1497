"""The page that goes from StrainMap studies to a network: its data set is the cohort itself, and its commands exist."""

import ast
import pathlib
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds

from configs import ear3d
from data_builders.mvm_cmr import mvm_cmr_dataset_builder as mvm_cmr
from ear_jax.analysis.drawn import wall_mask
from ear_jax.data import records
from ear_jax.data.splits import make_split
from ear_jax.formats import strainmap
from ear_jax.phantom import study
from ear_jax.workflows.make_phantom import make_phantom

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / 'docs/strainmap_to_network.md').read_text().replace('\\\n', ' ')
SIZE = study.Size('phantom_small', 5, 0, (5,), 8, 48, 2.4, 2.4, offset=2.0, sharing=0.0)


@pytest.fixture(scope='module')
def cohort(tmp_path_factory):
  """The five people as a user has them, two of them in fact one; of one only frames 0 and 3 were drawn."""
  folder = tmp_path_factory.mktemp('studies')
  write = strainmap.write

  def sparsely(path, motions, *arguments, **named):
    for motion in motions if path.parent.name == 'p2' else ():
      for side in (motion.contours.endo, motion.contours.epi):
        side[[1, 2, 4, 5, 6, 7]] = np.nan
    write(path, motions, *arguments, **named)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(strainmap, 'write', sparsely)
    for k in range(1, 6):
      make_phantom(folder / f'p{k}', size=SIZE, subject=k, contours=True)
  (folder / 'subjects.csv').write_text('dataset,subject\np1,anna\np2,anna\n')
  return folder


def test_the_data_set_is_the_cohort_itself(cohort, tmp_path):
  builder = mvm_cmr.Builder(config='folder', data_dir=tmp_path / 'data')
  download = tfds.download.DownloadConfig(manual_dir=cohort)
  builder.download_and_prepare(download_dir=tmp_path / 'download', download_config=download)
  source = tfds.builder_from_directory(builder.data_dir).as_data_source(split='train')
  built = {float(cine.video.sum()): cine for cine in map(records.decode_cine, source)}
  assert len(built) == 15
  for plan in study.plan(SIZE):
    truth = study.truth(plan)
    mask = wall_mask([*zip(truth.endo, truth.epi, strict=True)], truth.mask.shape[1:])
    # Chords of 360 points lie up to 2e-4 pixels beside the phantom's curve: so do the pixels that change sides.
    assert (mask != truth.mask).sum() <= 1
    direct = records.decode_cine(records.encode_cine(study.render(plan).replace(mask=mask)))
    cine = built[float(direct.video.sum())]
    np.testing.assert_array_equal(cine.video, direct.video)
    assert (cine.venc, cine.level) == (direct.venc, direct.level)
    np.testing.assert_allclose(
      (*cine.spacing, cine.frame_interval), (*direct.spacing, direct.frame_interval), rtol=1e-6
    )
    drawn = np.isin(np.arange(8), (0, 3)) if plan.subject_index == 1 else np.ones(8, bool)
    np.testing.assert_array_equal(cine.annotated, drawn)
    np.testing.assert_array_equal(cine.mask, direct.mask * drawn[:, None, None])
    assert (cine.subject == 'anna') == (plan.subject_index < 2)
  assert not re.search(r'phantom|Synthetic', ' '.join(f'{cine.subject} {cine.name}' for cine in built.values()))


def test_the_commands_of_the_page_have_the_flags_that_they_name():
  commands = re.findall(r'python -m ear_jax\.(\w+) (.*)', PAGE)
  assert [name for name, _ in commands] == ['make_phantom', 'train', 'evaluate', 'make_phantom', 'predict']
  shared = ''.join((ROOT / f'ear_jax/{name}.py').read_text() for name in ('system/cli', 'config/flag'))
  for name, words in commands:
    text = (ROOT / f'ear_jax/{name}.py').read_text() + shared
    known = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    flags = re.findall(r'--(\w+)', re.sub(r'--config\.\S+', '', words))
    assert [flag for flag in flags if flag not in known] == [], name


def test_six_people_are_enough_for_the_training_command():
  (words,) = re.findall(r'python -m ear_jax\.train (.*)', PAGE)
  config = ear3d.get_config()
  values = dict(re.findall(r'--config\.(\S+)=(\S+)', words))
  config.update_from_flattened_dict({key: int(x) if x.isdecimal() else x for key, x in values.items()})
  split = make_split([f'person-{i}' for i in range(6)], config.split)
  assert [len(part) for part in (split.train, split.validation, split.test)] == [4, 1, 1]
