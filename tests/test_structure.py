"""The rooms of the package: what each holds and what it may import, read from the source; the documents print it.

`python tests/test_structure.py` writes the table into docs/architecture.md anew.
"""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENT = ROOT / 'docs/architecture.md'
BEGIN, END = '<!-- rooms, printed by tests/test_structure.py -->', '<!-- end of rooms -->'

COMMANDS = {
  'ablation': 'a grid of experiments to tables (`ablation.md`)',
  'train': 'the training of a network',
  'evaluate': 'a network and a part of a data set to numbers, tables, pictures',
  'predict': 'studies to contours, curves, files and a page',
  'edit': 'a local page where a person corrects contours (`edit.md`)',
  'compare': 'studies side by side: groups, a normal group, visits of a person (`compare.md`)',
  'audit': 'references that look wrong, by networks that have not seen them (`audit.md`)',
  'export': 'a run to one file that runs without our code (`export.md`)',
  'make_phantom': "a phantom study as a scanner's DICOM",
  'measure_accuracy': 'the velocity analysis against exact phantoms',
  'doctor': 'what must be right with a machine',
  'benchmark': 'how long a network takes here (`performance.md`)',
  'plan_memory': 'what a training step needs on GPUs that are not here',
}
# From the top floor down: what a room holds, and the rooms that it may import, all of which stand below it.
ROOMS = {
  'commands': (
    'flags and sentences: each `python -m ear_jax.X` makes its flags in `main` and calls one function of a room',
    'ablations editor workflows benchmarking networks report devices training analysis formats config system',
  ),
  '__main__': ('`python -m ear_jax`: lists the commands, and runs the one that is named', 'system'),
  '__init__': ('what `import ear_jax` hands out, loaded when first used', ''),
  'ablations': (
    'grids of experiments: their jobs, running them, tables and figures',
    'workflows benchmarking networks report scoring training models devices data analysis cine config system',
  ),
  'editor': (
    'the local page where contours are corrected: server, log of gestures, frames that follow; `static/` the page',
    'workflows networks report formats analysis cine system',
  ),
  'workflows': (
    'whole pieces of work with plain arguments: train, evaluate, audit, predict, compare, make a phantom, measure the '
    'accuracy',
    'networks report scoring training formats phantom analysis devices data cine config system',
  ),
  'benchmarking': ('timing and memory, ours and of others', 'training devices data models config system'),
  'networks': (
    'trained networks, from a run, a file or a name (`weights/`), to the mask of any cine; exported files',
    'training devices data models cine system',
  ),
  'training': (
    'losses, step, state, optimiser, checkpoints, log: how a network learns; it knows no formats and no report',
    'devices data models config system',
  ),
  'report': (
    'figures, tables, files of results, the page of a study',
    'scoring formats analysis cine system',
  ),
  'scoring': ('masks and curves against a reference: metrics, agreement, intervals, tests', 'analysis cine'),
  'formats': (
    'readers and writers: `open` is the door, `folder` makes a data set of what comes through it; `dicom/` headers, '
    'cines, phase contrast, `siemens/` velocity mapping; NIfTI, HDF5, StrainMap, public sets; contours beside a study',
    'analysis cine system',
  ),
  'devices': (
    'where arrays live, how much memory there is, several processes as one run; `health/` what the doctor looks at',
    'models system',
  ),
  'data': ('records, windows, normalisation, augmentation, splits, batches', 'analysis cine system'),
  'models': (
    'the network as pure Flax modules; `cpu/` how a CPU convolves: read it only if you time CPUs',
    'config',
  ),
  'phantom': ('a digital velocity-mapping study with exact truth: anatomy, motion, scanner (`phantom.md`)', 'cine'),
  'analysis': ('mask to contours, velocity curves, markers (`analysis.md`); the quality gate (`predict.md`)', 'cine'),
  'cine': ('`Cine`, `Study` and the transforms of the image plane', ''),
  'config': (
    'every field of a configuration, described once: default, reason, unit, range, choices, what it decides; its flag',
    'system',
  ),
  'system': ('errors, whole files, locks, time, the start of a command: what any program needs; it knows no heart', ''),
}
# Parts of the package that may not be imported by others, though their rooms may; and what pure rooms must not know.
NEVER = {
  'models/cpu': 'ear_jax.models.conv ear_jax.models.blocks ear_jax.models.attention ear_jax.models.unet3d',
  'formats/dicom': 'ear_jax.formats.siemens ear_jax.formats.open',
  'models': 'absl pathlib time os',
  'training/losses': 'ear_jax.data ear_jax.devices absl pathlib time os',
  'training/steps': 'ear_jax.data ear_jax.devices absl pathlib time os',
  'analysis': 'absl pathlib time os jax',
  'scoring': 'absl pathlib time os jax',
  'phantom': 'absl pathlib time os jax',
  'cine': 'jax pathlib',
  'system/errors': 'jax absl',
}
FILES = sorted((ROOT / 'ear_jax').rglob('*.py'))
NAMES = {'.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'): path for path in FILES}


def room_of(name):
  """The room of a module of ours: its folder, or its own name for what stands at the top level."""
  parts = name.split('.')
  if len(parts) == 1:
    return '__init__'
  return 'commands' if parts[1] in COMMANDS and len(parts) == 2 else parts[1]


def imported(path):
  """Dotted names that a file imports anywhere, `from a import b` as `a.b`."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def module_of(name):
  """The module of ours that holds a dotted name, or None."""
  while name and name not in NAMES:
    name = name.rpartition('.')[0]
  return name or None


def arrows():
  """All imports between rooms: `(room, room, 'file imports module')`; the package's version is no room's affair."""
  for name, path in NAMES.items():
    for what in imported(path):
      other = module_of(what)
      if other not in (None, 'ear_jax') and room_of(other) != room_of(name):
        yield room_of(name), room_of(other), f'{path.relative_to(ROOT)} imports {other}'


def within(name, parents):
  return any(name == parent or name.startswith(f'{parent}.') for parent in parents)


def test_every_module_is_in_a_room_and_every_room_has_modules():
  assert sorted({room_of(name) for name in NAMES}) == sorted(ROOMS)
  top = {path.stem for path in FILES if path.parent == ROOT / 'ear_jax'}
  assert top == {'__init__', '__main__', 'cine', *COMMANDS}


def test_each_command_can_be_run():
  assert [name for name in COMMANDS if "if __name__ == '__main__':" not in NAMES[f'ear_jax.{name}'].read_text()] == []


def test_imports_point_down_and_only_where_the_table_says():
  assert [text for room, other, text in arrows() if other not in ROOMS[room][1].split()] == []


def test_the_table_has_no_import_that_is_not_there_and_none_that_points_up():
  order, there = list(ROOMS), {(room, other) for room, other, _ in arrows()}
  listed = [(room, other) for room, (_, below) in ROOMS.items() for other in below.split()]
  assert [pair for pair in listed if pair not in there] == []
  assert [(room, other) for room, other in listed if order.index(other) <= order.index(room)] == []


@pytest.mark.parametrize('part', NEVER)
def test_pure_parts_know_no_files_no_flags_and_no_clock(part):
  dotted = 'ear_jax.' + part.replace('/', '.')
  paths = [path for name, path in NAMES.items() if within(name, [dotted])]
  assert paths
  found = [f'{path} imports {name}' for path in paths for name in imported(path) if within(name, NEVER[part].split())]
  assert found == []


def test_nothing_in_the_package_imports_tensorflow_or_the_tfds_command_line():
  forbidden = ('tensorflow', 'tensorflow_datasets.scripts')
  assert [path for path in FILES if any(within(name, forbidden) for name in imported(path))] == []


def printed():
  """The table of the document."""
  lines = ['| where | what | imports |', '|---|---|---|']
  for room, (what, below) in ROOMS.items():
    if room == 'commands':
      lines += [f'| `{name}.py` | `python -m ear_jax.{name}`: {text} | |' for name, text in COMMANDS.items()]
      lines.append(f'| all of these | {what} | {below.replace(" ", ", ")} |')
    else:
      name = f'{room}.py' if room in ('cine', '__init__', '__main__') else f'{room}/'
      lines.append(f'| `{name}` | {what} | {below.replace(" ", ", ")} |')
  return '\n'.join([BEGIN, '', *lines, '', END])


def test_the_document_prints_the_table():
  assert printed() in DOCUMENT.read_text()


if __name__ == '__main__':
  text = DOCUMENT.read_text()
  DOCUMENT.write_text(text[: text.index(BEGIN)] + printed() + text[text.index(END) + len(END) :])
  sys.exit(0)
