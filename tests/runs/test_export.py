"""A run as one file: the same numbers without our code, the same bytes again, and predictions from it."""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import zipfile

import command_line
import jax
import numpy as np
import pytest

from configs import base
from ear_jax.data.normalise import normalise
from ear_jax.data.window import central_window
from ear_jax.devices.placement import Placement
from ear_jax.models import build_model
from ear_jax.networks import exported
from ear_jax.networks.export import export
from ear_jax.networks.inference import myocardium
from ear_jax.networks.load import load_network, load_run, restore_state
from ear_jax.system.errors import UserError
from ear_jax.training.log import read_metrics

pytestmark = pytest.mark.multiprocess

ROOT = pathlib.Path(__file__).parents[2]
_ROUNDING = 5e-6  # another fusion rounds otherwise
_WITHOUT_OURS = """
import sys
sys.modules['ear_jax'] = sys.modules['flax'] = None  # importing either raises ImportError
{reader}
data = np.load(sys.argv[2])
probability, description = load(sys.argv[1])
window = central_window(normalise(data['video'], data['venc']), description['input']['shape'][2])
np.savez(sys.argv[3], probability=probability(window[None])[0], window=window)
assert np.array_equal(segment(sys.argv[1], data['video'], data['venc']), probability(window[None])[0] > 0.5)
"""


@pytest.fixture(scope='module')
def file(trained, forks, tmp_path_factory) -> pathlib.Path:
  """The toy run, exported by the command line."""
  path = tmp_path_factory.mktemp('exported') / 'toy.zip'
  outcome = forks.run('ear_jax.export', '--checkpoint', trained, '--output', path)
  assert outcome.status == 0, outcome.stderr
  return path


@pytest.fixture(scope='module')
def network(trained):
  """The toy run's network `[B, T, S, S, C]` to probability, as the predictor calls it."""
  config, _ = load_run(trained)
  state = restore_state(config, trained, 'best', Placement(jax.local_devices()[:1]))
  apply = jax.jit(myocardium(build_model(config.model)))
  return lambda video: np.asarray(apply(state.variables, video))


@pytest.fixture(scope='module')
def twin(config_file, tmp_path_factory) -> pathlib.Path:
  """Another run, of another seed."""
  workdir = tmp_path_factory.mktemp('runs') / 'twin'
  args = ('--config', config_file, '--workdir', workdir, '--config.seed=1')
  outcome = command_line.run('ear_jax.train', *args)
  assert outcome.status == 0, outcome.stderr
  return workdir


def _call(file, video):
  probability, weights, _ = exported.read_network(file)
  return probability(weights, video)


def _videos(seed, *shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(('b', 't'), [(1, 1), (1, 3), (3, 2), (2, 7)])
def test_the_file_computes_what_the_network_of_the_run_does(file, network, b, t):
  video = _videos(b, b, t, 32, 32, 4)
  found = np.asarray(_call(file, video))
  assert np.ptp(found) > 0.01, 'a constant equals nothing'
  np.testing.assert_allclose(found, network(video), rtol=0, atol=_ROUNDING)


def test_it_runs_by_the_reader_in_the_docs_without_our_package(file, network, data, tmp_path):
  cine = data.cine(0)
  (reader,) = re.findall(r'```python\n(.*?)```', (ROOT / 'docs/export.md').read_text(), re.DOTALL)
  assert len(reader.splitlines()) <= 45
  np.savez(tmp_path / 'cine.npz', video=cine.video, venc=cine.venc)
  program = [sys.executable, '-c', _WITHOUT_OURS.format(reader=reader)]
  subprocess.run([*program, file, tmp_path / 'cine.npz', tmp_path / 'out.npz'], check=True, cwd=tmp_path)
  out = np.load(tmp_path / 'out.npz')
  window = central_window(normalise(cine.video, cine.venc), 32, edge=True)
  np.testing.assert_allclose(out['window'], window, atol=1e-5)
  np.testing.assert_allclose(out['probability'], network(window[None])[0], atol=1e-5)


def test_it_is_made_for_cpu_and_cuda_and_for_the_convolution_of_each(file):
  with zipfile.ZipFile(file) as archive:
    function = jax.export.deserialize(bytearray(archive.read('network.jaxexport')))
  assert function.platforms == ('cpu', 'cuda')
  text = function.mlir_module()
  assert 'dim_numbers = [b, 0, 1, f]' in text, 'no 2-D convolution'
  assert 'dim_numbers = [b, 0, 1, 2, f]' not in text, 'cuDNN would convert what a 3-D convolution reads and writes'
  assert 'stablehlo.case' in text, 'one form of the convolution for both platforms'


def test_another_shape_is_refused_with_both_shapes(file):
  for shape in ((1, 3, 32, 32, 1), (1, 3, 16, 32, 4), (3, 32, 32, 4)):
    with pytest.raises(ValueError, match=r'expected \(b, t, 32, 32, 4\) and called with') as fault:
      _call(file, np.zeros(shape, np.float32))
    assert str(shape) in str(fault.value)


def test_the_same_run_gives_the_same_bytes_and_they_name_nobody(file, trained, tmp_path):
  export([trained], tmp_path / 'again.zip')
  assert (tmp_path / 'again.zip').read_bytes() == file.read_bytes()
  with zipfile.ZipFile(file) as archive:
    assert archive.namelist() == ['network.jaxexport', 'weights.npz', 'network.json']
    content = b''.join(archive.read(name) for name in archive.namelist() if name != 'weights.npz')
  config, _ = load_run(trained)
  host = f'"{socket.gethostname()}"'  # as a word: a short name is found in any binary file
  for secret in (str(ROOT), str(trained), config.data.dir, str(pathlib.Path.home()), host, '.py'):
    assert secret.encode() not in content


def test_the_description_says_what_it_is_and_expects(file, trained):
  with zipfile.ZipFile(file) as archive:
    about = json.loads(archive.read('network.json'))
  manifest = json.loads((trained / 'manifest.json').read_text())
  assert about['input']['shape'] == ['B', 'T', 32, 32, 4]
  assert about['input']['channels'][1] == 'velocity along increasing column'
  assert about['normalisation']['method'] == 'robust'
  assert about['training_picture']['frames'] == 3
  assert about['training_picture']['spacing'] == [3.6, 3.6]
  assert about['network']['parameters'] == manifest['parameters']
  assert about['network']['config_hash'] == manifest['config_hash']
  scores = {m['step']: m['validation_dice'] for m in read_metrics(trained) if 'validation_dice' in m}
  assert about['network']['validation_dice'] == max(scores.values()) == scores[about['network']['step']]
  assert 'Not a medical device' in about['warning']


def test_prediction_takes_the_file_in_place_of_the_run(file, trained, data):
  run, own = (load_network(path) for path in (trained, file))
  assert (own.picture(), own.name) == (run.picture(), run.name)
  for tta in (False, True):
    expected, found = (network.segment(data.cine(1), tta=tta).probability for network in (run, own))
    np.testing.assert_allclose(found, expected, rtol=0, atol=_ROUNDING)


def test_its_weights_are_the_runs_and_are_there_once(file, trained):
  config, _ = load_run(trained)
  state = restore_state(config, trained, 'best', Placement(jax.local_devices()[:1]))
  own = load_network(file, devices=jax.local_devices()[:1]).variables
  same = jax.tree.map(lambda a, b: np.asarray(a).tobytes() == np.asarray(b).tobytes(), own, state.variables)
  assert jax.tree.all(same)
  assert len(jax.tree.leaves(same)) > 10
  head = np.asarray(state.variables['params']['head']['kernel']).tobytes()
  with zipfile.ZipFile(file) as archive:
    assert head in archive.read('weights.npz')
    assert head not in archive.read('network.jaxexport')


def test_evaluation_takes_the_file_and_makes_the_split_of_its_run_again(forks, file, trained, data_dir, tmp_path):
  evaluate = ('ear_jax.evaluate', '--split=validation', '--data_dir', data_dir, '--output')
  runs = {'run': ('--workdir', trained), 'file': ('--checkpoint', file)}
  for name, which in runs.items():
    outcome = forks.run(*evaluate, tmp_path / name, *which)
    assert outcome.status == 0, outcome.stderr
  found, expected = (json.loads((tmp_path / name / 'metrics.json').read_text()) for name in ('file', 'run'))
  assert found['metrics']['dice']['mean'] == pytest.approx(expected['metrics']['dice']['mean'], abs=1e-4)
  assert found['manifest']['subjects'] == expected['manifest']['subjects']
  trained_on = load_run(trained)[1].train[0]
  assert trained_on in forks.run(*evaluate, tmp_path / 'x', *runs['file'], '--data=toy/velocity').sentence
  other = forks.run(*evaluate, tmp_path / 'other', *runs['file'], '--data=toy/others')
  assert 'does not say on whom it was trained: perhaps on subjects of toy/others' in other.stderr
  assert other.status == 0, other.stderr


@pytest.mark.parametrize(
  'fields',
  [
    {'name': 'unet3d_attention', 'time_padding': 'cyclic', 'attention': 'spatial'},
    {'temporal_sites': ('bottleneck', 'encoder', 'decoder'), 'bidirectional': True, 'cyclic_recurrence': True},
    {'temporal': 'dense_lstm', 'norm': 'batch', 'activate': 'last'},
    {'dtype': 'bfloat16', 'time_padding': 'cyclic'},
  ],
  ids=['spatial', 'recurrent', 'released', 'bfloat16'],
)
def test_every_kind_of_network_can_be_exported(fields):
  config = base.get_config()
  config.model.filters = (4, 8)
  config.model.update(fields)
  model = build_model(config.model)
  variables = jax.jit(model.init)(jax.random.key(0), _videos(0, 1, 2, 16, 16, 4))
  function = jax.export.deserialize(bytearray(exported.serialise(myocardium(model), [variables], 16, 4)))
  video = _videos(1, 2, 3, 16, 16, 4)
  atol = _ROUNDING if config.model.dtype == 'float32' else 5e-2  # 8 bits, rounded at other places by another fusion
  found = function.call(exported.flat_weights([variables]), video)
  expected = jax.jit(myocardium(model))(variables, video)
  np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_runs_of_two_seeds_become_one_network_that_answers_with_their_mean(
  forks, trained, twin, network, data, tmp_path
):
  path = tmp_path / 'both.zip'
  outcome = forks.run('ear_jax.export', '--checkpoint', f'{trained},{twin}', '--output', path)
  assert outcome.status == 0, outcome.stderr
  one = jax.local_devices()[:1]
  other, both = load_network(twin, devices=one), load_network(path, devices=one)
  video = _videos(4, 1, 3, 32, 32, 4)
  second = jax.jit(myocardium(build_model(load_run(twin)[0].model)))(other.variables, video)
  assert np.abs(second - network(video)).max() > 0.01, 'two equal networks show nothing'
  np.testing.assert_allclose(_call(path, video), (network(video) + second) / 2, rtol=0, atol=_ROUNDING)
  first = load_network(trained, devices=one).variables
  assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), both.variables, first))
  assert both.manifest['networks'] == 2


def test_runs_that_saw_other_subjects_do_not_become_one_network(trained, tmp_path):
  other = shutil.copytree(trained, tmp_path / 'other')
  config = json.loads((other / 'config.json').read_text())
  config['split']['fold'] = 1
  (other / 'config.json').write_text(json.dumps(config))
  with pytest.raises(UserError, match='cannot become one network: they differ in split'):
    export([trained, other], tmp_path / 'both.zip')


def test_mistakes_are_answered_with_sentences(forks, trained, file, tmp_path):
  export_ = ('ear_jax.export', '--checkpoint', trained)
  assert '--output' in forks.run(*export_).sentence
  assert '.zip' in forks.run(*export_, '--output', tmp_path / 'folder').sentence
  assert 'no training run' in forks.run('ear_jax.export', '--checkpoint=/nowhere', '--output=x.zip').sentence
  assert (
    'is an exported network already' in forks.run('ear_jax.export', '--checkpoint', file, '--output=x.zip').sentence
  )
  damaged = tmp_path / 'damaged.zip'
  damaged.write_bytes(file.read_bytes()[:-100])
  older = tmp_path / 'older.zip'
  with zipfile.ZipFile(older, 'w') as archive:
    archive.writestr('network.json', json.dumps({'format': 'ear_jax network 1'}))
  mistakes = {tmp_path / 'none.zip': 'no network file', damaged: 'not a whole network file', older: 'export it again'}
  for path, words in mistakes.items():
    with pytest.raises(UserError, match=words):
      exported.read_network(path)
