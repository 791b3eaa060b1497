"""Times the network on this machine: `python -m ear_jax.benchmark [--sizes=16x128x128] [--output FOLDER]`.

Forward pass and training step on one core, on all cores as one device, and on a device a core: seconds a cine,
compile time, peak memory, and the share of the arithmetic that a large matrix product reaches here. With
`--config configs/x.py` also how fast its training batches come. Against PyTorch and Keras: `make benchmark`.
"""

from __future__ import annotations

import json
import pathlib

from absl import flags, logging
from ml_collections import config_flags
from rich.console import Console

from ear_jax.benchmarking import contest, flops, loading, machine, table
from ear_jax.benchmarking.cases import CHANNELS, NETWORKS, Case, parse_size
from ear_jax.benchmarking.ours import network
from ear_jax.system import cli
from ear_jax.system.errors import UserError
from ear_jax.system.files import write_text

OURS = 'ear_jax.benchmarking.ours'

flags.declare_key_flag('output')
NETWORK = flags.DEFINE_list('network', list(NETWORKS), 'Networks, with commas between them.')
SIZES = flags.DEFINE_list('sizes', ['16x128x128'], 'Frames x rows x columns of a cine.')
FILTERS = flags.DEFINE_list('filters', ['16', '32', '64', '128'], 'Channels of each level, top first.')
ROUNDS = flags.DEFINE_integer('rounds', 5, 'How often each is timed, in turn.', lower_bound=1)
_ON = flags.DEFINE_multi_enum(
  'on',
  ['core', 'device', 'devices'],
  ['core', 'device', 'devices'],
  'On one core, on all cores as one device, on a device a core with a cine each; may be given several times.',
)
_CONFIG = config_flags.DEFINE_config_file('data_config', None, 'Configuration whose training batches are timed.')


def sizes() -> list[tuple[str, int, int, tuple[int, ...]]]:
  """Returns network, frames, size and filters of all combinations that the flags name.

  Raises: UserError for a network, a size or filters that cannot be.
  """
  unknown = [name for name in NETWORK.value if name not in NETWORKS]
  if unknown:
    raise UserError(f'--network {unknown[0]!r} is not one of {", ".join(NETWORKS)}')
  if not all(text.isdecimal() and int(text) for text in FILTERS.value):
    raise UserError(f'--filters {",".join(FILTERS.value)!r}: give one number of channels a level, such as 16,32,64,128')
  filters = tuple(map(int, FILTERS.value))
  return [(name, *parse_size(text, len(filters)), filters) for text in SIZES.value for name in NETWORK.value]


def entries(name: str, frames: int, size: int, filters: tuple[int, ...]) -> list[contest.Entry]:
  """Returns ours on one core, on all cores as one device, or on a device a core with a cine each, as `--on` says."""
  cores = machine.cores()

  def entry(title, cores, devices):
    return contest.Entry(title, OURS, Case(name, frames, size, devices, filters), cores, devices)

  found = {
    'core': entry('1 core', cores[:1], 1),
    'device': entry(f'{len(cores)} cores, 1 device', cores, 1),
    'devices': entry(f'{len(cores)} cores, {len(cores)} devices', cores, len(cores)),
  }
  return [found[on] for on in _ON.value]


def warn_if_busy() -> float:
  """Returns the load of other programs before anything is timed, and warns where it would spoil the times."""
  load = machine.others()
  if load > 0.3:
    logging.warning('other programs keep %.1f cores busy: times will be longer, and ratios less certain', load)
  return load


def ceilings() -> dict[str, float]:
  """Returns the GFLOP/s of a large float32 matrix product by the number of cores it may use."""
  found = {}
  case = Case('unet3d', 1, 2, 1, (2,))  # not loaded: only the device is wanted
  for cores in {1: machine.cores()[:1], len(machine.cores()): machine.cores()}.values():
    with contest.Worker(contest.Entry('matrix product', OURS, case, cores)) as worker:
      worker.open()
      found[str(len(cores))] = worker.ask('ceiling')['gflops']
  return found


def record(case: Case, found: dict) -> dict:
  """Returns one case's figures with what it is and how much arithmetic it takes (GFLOP a batch)."""
  work = flops.count(network(case), (case.batch, case.frames, case.size, case.size, CHANNELS))
  return {
    'network': case.network,
    'frames': case.frames,
    'size': case.size,
    'filters': list(case.filters),
    'batch': case.batch,
    'gflop': {'forward': work.forward / 1e9, 'step': work.step / 1e9},
    'entries': found,
  }


def measure() -> dict:
  """Returns all figures that the flags ask for, as plain types; each entry is a case with one contestant."""
  wanted = [entries(*what) for what in sizes()]
  result = {'machine': machine.describe() | {'load': warn_if_busy()}, 'cases': []}
  config = _CONFIG.value
  if config is not None:
    logging.info('training batches of %s', config.data.name)
    result['loading'] = {'data': config.data.name} | loading.cines_per_second(config, devices=1)
  result['machine']['matmul_gflops'] = ceilings()
  for group in wanted:
    logging.info('%s %d x %d x %d', group[0].case.network, *(group[0].case.frames, *[group[0].case.size] * 2))
    found = contest.hold(group, rounds=ROUNDS.value, report=logging.info)
    result['cases'] += [record(entry.case, {entry.name: found[entry.name]}) for entry in group]
  return result


def main() -> None:
  """Reads the flags, measures, prints a table, and writes it with the figures where `--output` says."""
  result = measure()
  text = table.of_ours(result)
  Console().print(text, markup=False, highlight=False, soft_wrap=True)
  if cli.OUTPUT.value:
    output = pathlib.Path(cli.OUTPUT.value).expanduser()
    write_text(output / 'benchmark.json', json.dumps(result, indent=1))
    write_text(output / 'benchmark.md', text)


if __name__ == '__main__':
  cli.run(main)
