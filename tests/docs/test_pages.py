"""README and docs as strangers use them: links lead somewhere, commands have their flags, snippets run; case N17."""

import pathlib
import re

import jax
import pytest

import ear_jax
from ear_jax.config.fields import FIELDS
from ear_jax.devices.placement import Placement
from ear_jax.networks.fine_tuning import network_to_start_from
from ear_jax.training.program import make_program

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted(
  [ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'SECURITY.md')]
  + [*(ROOT / 'docs').glob('*.md'), *(ROOT / 'data_builders').glob('*/README.md')]
)
CODE = re.compile(r'```[\s\S]*?\n```|(?<=\n\n)(?:    .*\n|\n(?=    ))+|`[^`]+`')
LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')
COMMAND = re.compile(r'python -m ear_jax\.([a-z]\w*)( [^`\n]*)?')

# What runs each block of Python: a test that reads the page or does the same, this file, or why nothing does.
HERE = 'here'
BLOCKS = {
  ('README.md', 0): 'tests/runs/test_api_examples.py',
  ('docs/analysis.md', 0): HERE,
  ('docs/api.md', 0): 'tests/runs/test_api_examples.py',
  ('docs/export.md', 0): 'tests/runs/test_export.py',
  ('docs/own_network.md', 0): HERE,  # but for the training itself
  ('docs/own_network.md', 1): 'tests/runs/test_other_network.py',
  ('docs/own_network.md', 2): HERE,
  ('docs/phantom.md', 0): HERE,
  ('docs/results_files.md', 0): 'not run: it draws; tests/report/test_tables.py reads the same columns with pandas',
  ('docs/results_files.md', 1): 'tests/formats/test_strainmap.py',
}
# README's commands: what runs each, or why nothing does.
README = {
  'pip install .': 'tests/test_release.py',
  'predict STUDY': 'tests/runs/test_predict.py',
  'edit STUDY': 'tests/editor/test_editing.py',
  'make quickstart': 'not run: ten minutes; its four commands run small in tests/runs/test_whole_run.py',
  'train --config configs/quickstart.py': 'tests/runs/test_whole_run.py',
  'evaluate --workdir runs/quickstart': 'tests/runs/test_whole_run.py',
  'make_phantom --output': 'tests/workflows/test_make_phantom.py',
  'predict data/phantom_study': 'tests/runs/test_predict.py',
  'tfds build data_builders/mvm_cmr --config=folder': 'tests/docs/test_strainmap_to_network.py',
  'train --config configs/ear3d.py': 'tests/networks/test_own_data.py',
  'evaluate --workdir runs/mine': 'tests/runs/test_whole_run.py',
  'tfds build data_builders/sunnybrook --config=frames': 'tests/data/test_builders.py',
  'train --config configs/sunnybrook.py': 'not run: six minutes and real data; tests/test_configs.py makes its program',
  'evaluate --workdir runs/sunnybrook': 'tests/runs/test_whole_run.py',
  'make docs': 'not run: it installs MkDocs; the links that it checks are checked here',
  'make test': 'not run: it is what runs this',
  'doctor': 'tests/devices/test_health.py',
}


def named(path: pathlib.Path) -> str:
  return path.relative_to(ROOT).as_posix()


def anchors(text: str) -> set[str]:
  """What a page's headings are called in links: Python-Markdown's rule, which MkDocs follows."""
  heads = [re.sub(r'[`*]|\(.*?\.md\)', '', head) for head in re.findall(r'^#+ (.+)$', text, re.MULTILINE)]
  return {re.sub(r'[-\s]+', '-', re.sub(r'[^\w\s-]', '', head).strip().lower()) for head in heads}


def test_the_first_screen_says_what_it_is_for_for_whom_it_is_not_and_where_it_runs():
  """Cases N1 and N3: in the words that people search, before any command, and README is short."""
  readme = (ROOT / 'README.md').read_text()
  first = readme[: readme.index('\n    ')]
  for word in (
    'phase contrast',
    'tissue phase',
    'myocardial velocity',
    'cines',
    'For research only',
    'Not yet for you',
    'annotated studies',
  ):
    assert word in ' '.join(first.split()), word
  for word in ('Linux', 'Windows', 'macOS', 'Python 3.11', 'GB'):
    assert word in first, word
  assert len(first.splitlines()) <= 25
  assert len(readme.splitlines()) <= 120


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_links_and_anchors_lead_somewhere(page):
  lost = []
  for target in LINK.findall(CODE.sub('', page.read_text() + '\n')):
    if re.match(r'https?:', target):
      continue
    place, _, anchor = target.partition('#')
    there = (page.parent / place).resolve() if place else page
    if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
      lost.append(target)
  assert lost == []


def test_every_page_of_docs_is_found_from_the_first_and_named_pages_exist():
  first = (ROOT / 'docs/index.md').read_text()
  pages = {path.name for path in (ROOT / 'docs').glob('*.md')} - {'index.md'}
  assert pages - set(LINK.findall(first)) == set()
  site = (ROOT / 'mkdocs.yml').read_text()
  assert pages - set(re.findall(r'(\w+\.md)', site)) == set()
  sources = [*(ROOT / 'ear_jax').rglob('*.py'), *(ROOT / 'configs').glob('*.py'), *PAGES, ROOT / 'CHANGELOG.md']
  sources += (ROOT / 'ear_jax/networks/weights').glob('*.md')
  words = {word for path in sources for word in re.findall(r'\bdocs/\w+\.md', path.read_text())}
  assert {word for word in words if not (ROOT / word).exists()} == set()


def commands():
  """Yields page, module and flags of every command of ours in README and docs."""
  for page in PAGES:
    for name, words in COMMAND.findall(page.read_text().replace('\\\n', ' ')):
      yield named(page), name, re.sub(r"'[^']*'", "''", words or '')


def test_the_flags_and_fields_of_every_command_exist():
  shared = (ROOT / 'ear_jax/system/cli.py').read_text()
  wrong, seen = [], 0
  for page, name, words in commands():
    path = ROOT / f'ear_jax/{name}.py'
    assert path.exists(), f'{page}: python -m ear_jax.{name}'
    rooms = (ROOT / 'ear_jax/benchmarking').glob('*.py') if name == 'benchmark' else ()
    text = '\n'.join([path.read_text(), shared, *(room.read_text() for room in rooms)])
    known = set(re.findall(r"'(\w+)'", text)) | ({'config'} if 'flag.define' in text else set())
    flags = re.findall(r'--([\w.]+)', words)
    seen += len(flags)
    for flag in flags:
      head, _, field = flag.partition('.')
      if head.removeprefix('no') not in known and head not in known:
        wrong.append(f'{page}: {name} --{flag}')
      if name == 'train' and field not in ('', 'key') and field not in FIELDS:
        wrong.append(f'{page}: {name} --{flag}')
  assert wrong == []
  assert seen > 100


def test_every_flag_of_predict_is_explained():
  """Case N7: a flag that no page names is found by nobody."""
  made = re.findall(r"DEFINE_\w+\(\s*'(\w+)'", (ROOT / 'ear_jax/predict.py').read_text())
  assert len(made) > 15
  page = (ROOT / 'docs/predict.md').read_text()
  assert [flag for flag in made if f'--{flag}' not in page] == []


def test_make_targets_and_data_sets_exist():
  targets = set(re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
  for page in PAGES:
    text = page.read_text()
    assert set(re.findall(r'(?:^    |`)make ([\w-]+)', text, re.MULTILINE)) <= targets, page
    for builder, config in re.findall(r'tfds build data_builders/(\w+) --config=(\w+)', text):
      source = (ROOT / f'data_builders/{builder}/{builder}_dataset_builder.py').read_text()
      assert re.search(rf"['\"]{config.removeprefix('phantom_')}['\"]|{config}", source), f'{page}: {builder}/{config}'


def blocks():
  """Every fenced block of Python or shell, by page and number."""
  found = {}
  for page in PAGES:
    texts = re.findall(r'```(?:python|bash|sh)\n(.*?)```', page.read_text(), re.DOTALL)
    found |= {(named(page), number): text for number, text in enumerate(texts)}
  return found


def test_every_block_and_every_command_of_readme_is_run_or_says_why_not():
  assert blocks().keys() == BLOCKS.keys()
  readme = (ROOT / 'README.md').read_text().replace('\\\n', ' ')
  indented = [
    line.strip() for line in readme.splitlines() if line.startswith('    ') and not line.strip().startswith('--')
  ]
  inline = re.findall(r'`((?:make|python -m ear_jax)[^`]*)`', readme)
  lines = [line for line in indented + inline if line and '--help' not in line]
  assert [line for line in lines if not any(key in line for key in README)] == []
  assert [key for key in README if key not in readme] == []
  for by in (*BLOCKS.values(), *README.values()):
    assert by == HERE or by.startswith('not run: ') or (ROOT / by).exists(), by


@pytest.mark.parametrize(
  'place', [key for key, by in BLOCKS.items() if by == HERE], ids=lambda key: f'{key[0]}-{key[1]}'
)
def test_the_block_runs(place, monkeypatch):
  said = {}
  monkeypatch.setattr(ear_jax, 'train', lambda config, workdir: (config, workdir))
  exec(blocks()[place], said)
  if place[0] == 'docs/analysis.md':
    assert said['motion'].curves['angular6'].shape == (6, 16, 3)
    assert {'marker', 'velocity'} <= set(said['motion'].markers.columns)
  elif place[0] == 'docs/phantom.md':
    assert said['cine'].video.shape == said['exact'].video.shape == (16, 96, 96, 4)
    assert said['truth'].mask.any()
  elif place[1] == 0:
    program = make_program(said['state'], Placement(jax.local_devices()[:1]))
    assert network_to_start_from(said['state'], program.shapes).config.model.name == 'ear3d'
  else:  # by hand: I = 2, P = 4, Y = 3, f = 1: 1 - 3 / (2 + 0.6 + 0.7 + 1)
    assert said['tversky'](2.0, 4.0, 3.0, 1.0) == pytest.approx(1 - 3 / 4.3)
