"""The examples in the docstrings of the public API, run as a reader would, where a study, data and a run lie."""

import doctest
import functools
import importlib
import os
import pathlib

import pytest

import ear_jax

pytestmark = pytest.mark.multiprocess

FUNCTIONS = {name: getattr(ear_jax, name) for name in ear_jax.__all__ if name.islower() and name[0] != '_'}
FUNCTIONS['Network.segment'] = ear_jax.Network.segment
LOAD = functools.cache(ear_jax.load_network)  # one network compiles once, however many examples load it


@pytest.fixture(scope='module')
def folder(tmp_path_factory, data_dir, trained) -> pathlib.Path:
  """Where the examples run: STUDY, a phantom's DICOM files; data, with the toy data set; runs/mine, a run on it."""
  folder = tmp_path_factory.mktemp('examples')
  ear_jax.make_phantom(folder / 'STUDY', size='mini')
  os.symlink(data_dir, folder / 'data')
  (folder / 'runs').mkdir()
  os.symlink(trained, folder / 'runs/mine')
  return folder


@pytest.mark.parametrize('name', FUNCTIONS)
def test_the_example_of_a_public_function_gives_what_it_says(name, folder, monkeypatch):
  monkeypatch.chdir(folder)
  monkeypatch.setattr(ear_jax, 'load_network', LOAD)
  function = FUNCTIONS[name]
  home = importlib.import_module(function.__module__)
  (example,) = doctest.DocTestFinder(recurse=False).find(function, name, module=home, globs={'ear_jax': ear_jax})
  assert example.examples, f'{name} has no example'
  said = []
  result = doctest.DocTestRunner().run(example, out=said.append)
  assert result.failed == 0, ''.join(said)


def test_the_five_lines_of_a_notebook(folder, monkeypatch):
  monkeypatch.chdir(folder)
  study = ear_jax.open_studies('STUDY')[0]
  network = LOAD('ear3d-phantom')
  result = ear_jax.analyse(study[0], network.segment(study[0]))
  truth = ear_jax.phantom_study()[0]
  radial = result.to_xarray().curves.sel(component='radial', region='global')
  expected = ear_jax.analyse(truth, truth.mask).to_xarray().curves.sel(component='radial', region='global')
  assert float(abs(radial - expected).mean()) < 0.2 * float(abs(expected).max())
  frame = result.to_frame()
  lines = frame[(frame.component == 'radial') & (frame.group == 'global')]
  assert lines.velocity_cm_s.tolist() == radial.values.tolist()


def test_the_page_of_the_api_names_everything_and_its_lines_run(folder, monkeypatch):
  page = (pathlib.Path(__file__).parents[2] / 'docs/api.md').read_text()
  table = page[: page.index('## What the objects hold')]
  assert [name for name in ear_jax.__all__ if f'`{name}' not in table and name != '__version__'] == []
  lines = page.partition('```python\n')[2].partition('```')[0].splitlines()
  assert (
    lines.pop() == "state, summary = ear_jax.train(ear_jax.default_config(), 'runs/mine')"
  )  # `train` has its example
  monkeypatch.chdir(folder)
  monkeypatch.setattr(ear_jax, 'load_network', LOAD)
  said = {}
  exec('\n'.join(lines), said)
  assert said['result'].to_xarray().curves.sizes['frame'] == 16
