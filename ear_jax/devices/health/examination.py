"""All findings about a machine, one after another, and the table that shows them."""

import pathlib
from collections.abc import Iterator

import jax
from rich.markup import escape
from rich.table import Table

from ear_jax.devices.health.convolution import check_convolution
from ear_jax.devices.health.finding import Finding
from ear_jax.devices.health.room import check_devices, check_room
from ear_jax.devices.health.software import check_cudnn, check_software

_STYLES = {'pass': 'green', 'warn': 'yellow', 'fail': 'red'}


def examine(folder: pathlib.Path) -> Iterator[Finding]:
  """Yields all findings, about `folder` as a working directory too."""
  yield from check_software()
  try:
    devices = jax.local_devices()
  except RuntimeError as fault:
    said = ' '.join(str(fault).split())[:200]
    yield Finding('devices', 'fail', said, 'mend the driver, or run on the CPU: JAX_PLATFORMS=cpu')
    devices = []
  yield from check_cudnn(devices)
  yield from check_devices(devices)
  yield from map(check_convolution, devices)
  yield from check_room(folder)


def table(findings: list[Finding]) -> Table:
  """Returns the findings as a table for the terminal."""
  shown = Table('what', 'result', 'found', 'what to do')
  for one in findings:
    what, found, remedy = map(escape, (one.what, one.found, one.remedy))
    shown.add_row(what, f'[{_STYLES[one.result]}]{one.result}[/]', found, remedy)
  return shown
