"""Runs the mains of commands one after another in one process, and says how each ended."""

import contextlib
import importlib
import io
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def run(*lines: list) -> list[dict]:
  """Returns 'status', 'stdout' and 'stderr' of command lines `[module, *arguments]`; all are imported first."""
  words = json.dumps([[str(word) for word in line] for line in lines])
  done = subprocess.run([sys.executable, __file__], input=words, cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  return json.loads(done.stdout)


def _call(module: str, *arguments: str) -> dict:
  sys.argv = [f'python -m {module}', *arguments]
  with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
    try:
      importlib.import_module(module).main()
      status = 'returned'
    except SystemExit as end:
      status = end.code or 0
  return {'status': status, 'stdout': stdout.getvalue(), 'stderr': stderr.getvalue()}


if __name__ == '__main__':
  sys.path[0] = str(ROOT)
  given = json.load(sys.stdin)
  for name, *_ in given:
    importlib.import_module(name)
  print(json.dumps([_call(*line) for line in given]))
