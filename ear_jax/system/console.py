"""The command `ear-jax`, or `python -m ear_jax`: `ear-jax predict STUDY` is `python -m ear_jax.predict STUDY`."""

import contextlib
import runpy
import sys

from ear_jax.system import pipes
from ear_jax.system.errors import nearest

COMMANDS = {
  'make_phantom': "Writes a digital phantom's study as velocity-mapping DICOM.",
  'train': 'Trains a network.',
  'evaluate': 'Scores a trained network.',
  'predict': 'Delineates and analyses studies.',
  'edit': 'Corrects contours in a local page.',
  'compare': 'Compares analysed studies.',
  'audit': 'Ranks references that look wrong.',
  'export': 'Writes a trained network as one file.',
  'ablation': 'Runs a grid of experiments.',
  'measure_accuracy': 'Measures the velocity analysis on phantoms.',
  'benchmark': 'Times the network on this machine.',
  'plan_memory': 'What does a training step need on a GPU that is not here?',
  'doctor': 'Looks at the machine.',
}


def main() -> None:
  """Runs the command that the first word names, with the rest, and exits as it does; without one lists them.

  Only that command is imported. An unknown one is a sentence, and exit status 2.
  """
  name, *rest = sys.argv[1:] or ['--help']
  if name in ('--help', '-h', 'help'):
    with contextlib.suppress(BrokenPipeError):
      print('usage: ear-jax COMMAND ... or python -m ear_jax.COMMAND ...; with --help each lists its flags\n')
      print('\n'.join(f'  {command.replace("_", "-"):18}{what}' for command, what in COMMANDS.items()))
    pipes.unread()
    return
  command = name.replace('-', '_')
  if command not in COMMANDS:
    near = nearest(command, COMMANDS).replace('_', '-')
    print(f'error: {name!r} is not a command: ear-jax --help lists them{near}', file=sys.stderr)
    sys.exit(2)
  sys.argv = [f'ear-jax {name}', *rest]
  runpy.run_module(f'ear_jax.{command}', run_name='__main__', alter_sys=True)
