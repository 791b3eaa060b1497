"""Looks at the machine: `python -m ear_jax.doctor [--workdir FOLDER]`.

One table: versions, devices, cuDNN, a convolution in float32 and bfloat16 on each device, memory, disk, caches; each
with pass, warn or fail and what to do. Exit status 1 where something fails.
"""

import pathlib
from types import SimpleNamespace

from rich.console import Console

from ear_jax.system import cli
from ear_jax.system.terminal import progress_console


def main() -> None:
  """Reads the command line, looks and prints."""
  cli.run(_look, *cli.shared('workdir'))


def _look(given: SimpleNamespace) -> int:
  from ear_jax.devices.health.examination import examine, table

  console = Console()
  with progress_console().status('looking at the machine'):
    findings = list(examine(pathlib.Path(given.workdir or '.').expanduser()))
  console.print(table(findings))
  return 1 if any(one.result == 'fail' for one in findings) else 0


if __name__ == '__main__':
  main()
