"""The notebooks of the documents, run as a reader runs them in an empty folder, and held against what is true."""

import pathlib

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / 'docs/notebooks').glob('*.ipynb'))
# What must hold after the last cell, in the words of the notebook.
ORACLES = {
  'study_to_curves': """
truth = ear_jax.phantom_study(seed=1)[1]
exact = ear_jax.analyse(truth, truth.mask).to_xarray().curves.sel(region='global')
both = (found.mask & truth.mask).sum()
assert 2 * both / (found.mask.sum() + truth.mask.sum()) > 0.85
error = np.sqrt(((data.curves.sel(region='global') - exact) ** 2).mean('frame'))
assert float(error.max()) < 0.5, error  # cm/s
assert len(table) == data.curves.size
assert [one['slice'] for one in summary['slices']] == ['slice-00', 'slice-01', 'slice-02']
""",
  'train_on_own_data': """
assert summary['step'] == config.steps
losses = lines.loss.dropna()
assert losses.iloc[-1] < 0.8 * losses.iloc[0], 'it learns'
assert scores['n_subjects'] == 1
assert dice > 0.5, dice
""",
}


def test_every_notebook_has_an_oracle_and_no_output():
  assert [path.stem for path in NOTEBOOKS] == sorted(ORACLES)
  cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if cell.cell_type == 'code']
  assert [cell for cell in cells if cell.outputs or cell.execution_count] == []


@pytest.mark.slow
@pytest.mark.multiprocess
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_finds_what_is_true(path, tmp_path, monkeypatch):
  monkeypatch.setenv('PYTHONPATH', str(ROOT))
  monkeypatch.delenv('JAX_DISABLE_MOST_OPTIMIZATIONS')  # of tests/conftest.py: here running takes longer than compiling
  notebook = nbformat.read(path, 4)
  notebook.cells.append(nbformat.v4.new_code_cell(ORACLES[path.stem]))
  nbclient.NotebookClient(notebook, timeout=600, resources={'metadata': {'path': tmp_path}}).execute()
