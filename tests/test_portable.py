"""Every module is imported where the system is not Unix, and where only the core is installed.

No Windows was at hand: a child process stands for it, from which what only Unix has was taken away.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
WITHOUT = r"""
import importlib, os, pkgutil, signal, sys, types
import jax, psutil  # other people's libraries know the real system; they are asked first
import matplotlib.pyplot, orbax.checkpoint, grain, tensorflow_datasets
from absl import flags

UNIX = 'fcntl', 'grp', 'pwd', 'resource', 'syslog', 'termios'
EXTRAS = 'apache_beam', 'importlib_resources', 'mlcroissant', 'submitit', 'tensorflow'
for name in (*UNIX, *EXTRAS):
  sys.modules[name] = None  # an import of it raises ImportError
sys.modules['msvcrt'] = types.ModuleType('msvcrt')  # Windows has it
for name in ('getloadavg', 'getuid', 'killpg', 'sched_getaffinity', 'sched_setaffinity', 'setsid', 'sysconf', 'uname'):
  delattr(os, name)
for name in ('SIGKILL', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'alarm'):
  delattr(signal, name)

import ear_jax
names = [module.name for module in pkgutil.walk_packages(ear_jax.__path__, 'ear_jax.')]
names.remove('ear_jax.ablations.work')  # what submitit starts
names += [f'configs.{path.stem}' for path in sorted(__import__('pathlib').Path('configs').glob('[!_]*.py'))]
for name in names:
  try:
    importlib.import_module(name)
  except flags.DuplicateFlagError:
    pass  # two commands in one process; all that they import was found
print(len(names), 'imported')
"""


def test_every_module_is_imported_without_unix_and_without_what_builds_data():  # case N1
  done = subprocess.run([sys.executable, '-c', WITHOUT], cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr[-2000:]
  assert int(done.stdout.split()[0]) > 150
