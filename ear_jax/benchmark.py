"""Times the network on this machine: `python -m ear_jax.benchmark [--sizes=16x128x128] [--output FOLDER]`.

Forward pass and training step on one core, on all cores as one device, and on a device a core: seconds a cine,
compile time, peak memory, and the share of the arithmetic that a large matrix product reaches here. With
`--data_config configs/x.py` also what its training batches cost; with `--nopasses` that alone. Against PyTorch and
Keras: `make benchmark`.
"""

import json
import pathlib
from types import SimpleNamespace

from absl import flags
from rich.console import Console

from ear_jax.config import flag
from ear_jax.system import cli
from ear_jax.system.errors import UsageError
from ear_jax.system.files import write_text


def main() -> None:
  """Reads the command line, measures, prints a table, and writes it with the figures where `--output` says."""
  from ear_jax.benchmarking.cases import flags_of_cases

  places = ['core', 'device', 'devices']
  cli.run(
    _measure,
    *cli.shared('output'),
    *flags_of_cases(),
    flags.DEFINE_multi_enum(
      'on',
      places,
      places,
      'On one core, on all cores as one device, on a device a core with a cine each; may be given several times.',
      case_sensitive=False,
    ),
    flag.define('Configuration whose training batches are timed.', 'data_config'),
    flags.DEFINE_bool('passes', True, 'Time the network, not its batches alone.'),
  )


def _measure(given: SimpleNamespace) -> None:
  from ear_jax.benchmarking.cases import parse_cases
  from ear_jax.benchmarking.measure import measure
  from ear_jax.benchmarking.table import of_ours

  if not given.passes and given.data_config is None:
    raise UsageError('--nopasses leaves nothing to time: give --data_config, such as configs/ear3d.py')
  wanted = parse_cases(given.network, given.sizes, given.filters) if given.passes else []
  result = measure(wanted, on=given.on, rounds=given.rounds, config=given.data_config)
  text = of_ours(result)
  Console().print(text, markup=False, highlight=False, soft_wrap=True)
  if given.output:
    output = pathlib.Path(given.output).expanduser()
    write_text(output / 'benchmark.json', json.dumps(result, indent=1))
    write_text(output / 'benchmark.md', text)


if __name__ == '__main__':
  main()
