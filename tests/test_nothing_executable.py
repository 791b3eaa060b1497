"""No code of ours turns data into code: read from the source, every import and every call.

What runs is held to the same by `torture/sandbox.py`, and text in the page by `report/test_page.py`. One file is
Python by intent: the configuration that `--config` names.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted(path for room in ('ear_jax', 'configs', 'data_builders') for path in (ROOT / room).rglob('*.py'))
# Their files hold code, or text that becomes code.
MODULES = {
  'pickle',
  'cPickle',
  '_pickle',
  'dill',
  'cloudpickle',
  'joblib',
  'shelve',
  'marshal',
  'torch',
  'yaml',
  'xmlrpc',
}
CALLS = {'eval', 'exec', 'compile', '__import__', 'os.system', 'os.popen', 'builtins.eval', 'builtins.exec'}
METHODS = {'read_pickle', 'to_pickle', 'full_load', 'unsafe_load', 'from_string'}


def offences(source: str) -> list[str]:
  """Returns what a file imports or calls that it must not."""
  found = []
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      found += [f'import {name.name}' for name in node.names if name.name.split('.')[0] in MODULES]
    elif isinstance(node, ast.ImportFrom) and (node.module or '').split('.')[0] in MODULES:
      found.append(f'from {node.module} import ...')
    elif isinstance(node, ast.Call):
      name = ast.unparse(node.func)
      if name in CALLS or name.rpartition('.')[2] in METHODS:
        found.append(f'{name}()')
      for keyword in node.keywords:
        given = ast.unparse(keyword.value)
        if (keyword.arg == 'allow_pickle' and given != 'False') or (keyword.arg == 'shell' and given != 'False'):
          found.append(f'{name}({keyword.arg}={given})')
        if keyword.arg == 'autoescape' and given != 'True':
          found.append(f'{name}(autoescape={given})')
      if name.endswith('jinja2.Environment') and 'autoescape' not in {keyword.arg for keyword in node.keywords}:
        found.append(f'{name}() without autoescape')
  return found


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_of_ours_makes_code_of_data(path):
  assert offences(path.read_text(encoding='utf-8')) == []


@pytest.mark.parametrize(
  'line',
  [
    'import pickle',
    'import torch.serialization',
    'from joblib import load',
    'eval(text)',
    'np.load(path, allow_pickle=True)',
    'np.load(path, allow_pickle=trusted)',
    'pd.read_pickle(path)',
    'yaml.load(text)\nimport yaml',
    'subprocess.run(text, shell=True)',
    'jinja2.Environment(loader=loader)',
    'jinja2.Environment(autoescape=False)',
  ],
)
def test_the_walk_finds_what_it_looks_for(line):
  assert offences(line)


def test_numpy_unpickles_nothing_unless_told_to():
  """`np.load` without a word about pickles, as we call it, refuses them."""
  import inspect

  import numpy as np

  assert inspect.signature(np.load).parameters['allow_pickle'].default is False


def test_templates_trust_our_own_files_alone():
  """`safe` switches the escaping off: for the script and the style that we wrote, and for nothing else."""
  for template in (ROOT / 'ear_jax').rglob('*.jinja'):
    text = template.read_text(encoding='utf-8')
    trusted = [line.strip() for line in text.splitlines() if '| safe' in line or '|safe' in line]
    ours = ['<style>{{ style | safe }}</style>', '<script>{{ script | safe }}</script>']
    assert trusted == ours[: len(trusted)]
    assert trusted or '<html' not in text  # a part of a page has neither
    assert 'autoescape false' not in text
