"""All findings about a machine, one after another, and the table that shows them."""

import os
import pathlib
from collections.abc import Iterator

import jax
import rich.table
from rich.text import Text

from ear_jax.devices.health.convolution import check_convolution
from ear_jax.devices.health.finding import Finding
from ear_jax.devices.health.room import check_devices, check_room
from ear_jax.devices.health.software import check_cudnn, check_software
from ear_jax.system.table import Table, drawn

_STYLES = {'pass': 'green', 'warn': 'yellow', 'fail': 'red'}


def examine(folder: pathlib.Path) -> Iterator[Finding]:
  """Yields all findings, about `folder` as a working directory too."""
  yield from check_software()
  try:
    devices = jax.local_devices()
  except (AssertionError, RuntimeError) as fault:  # the first where JAX_PLATFORMS asks for what jax was not built for
    said = ' '.join(str(fault).split())[:200] or f'jax starts none (JAX_PLATFORMS={os.environ.get("JAX_PLATFORMS")})'
    yield Finding('devices', 'fail', said, 'mend the driver, or run on the CPU: JAX_PLATFORMS=cpu')
    devices = []
  yield from check_cudnn(devices)
  yield from check_devices(devices)
  yield from map(check_convolution, devices)
  yield from check_room(folder)


def table(findings: list[Finding]) -> rich.table.Table:
  """Returns the findings as a table for the terminal."""
  rows: list[list[str | Text]] = [
    [one.what, Text(one.result, _STYLES[one.result]), one.found, one.remedy] for one in findings
  ]
  return drawn(Table('', ['what', 'result', 'found', 'what to do'], rows), left=('result', 'found', 'what to do'))
