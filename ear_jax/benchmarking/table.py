"""Figures of a benchmark as Markdown tables. Times are seconds for one cine: a batch's time over its cines."""

import statistics

from ear_jax.benchmarking.worker import PASSES
from ear_jax.system import table as forms


def seconds(case: dict, name: str, which: str) -> float:
  """Returns the median seconds of a pass for one cine."""
  return statistics.median(case['entries'][name]['seconds'][which]) / case['batch']


def compile_seconds(case: dict, name: str, which: str) -> float:
  """Returns how much longer the first call took than later ones, whole batches; never below 0."""
  entry = case['entries'][name]
  return max(0.0, entry['first_call'][which] - statistics.median(entry['seconds'][which]))


def gflops(case: dict, name: str, which: str) -> float:
  """Returns the arithmetic of a pass over its time, GFLOP/s."""
  return case['gflop'][which] / statistics.median(case['entries'][name]['seconds'][which])


def ratio(case: dict, name: str, peers: list[str], which: str) -> float:
  """Returns the time of `name` over that of the fastest peer; below 1 `name` is ahead."""
  return seconds(case, name, which) / min(seconds(case, peer, which) for peer in peers)


def markdown(heads: list[str], rows: list[list[str]]) -> str:
  """Returns a table."""
  return forms.markdown(forms.Table('', heads, rows), rule='|' + ' --- |' * len(heads)) + '\n'


def spread(case: dict, name: str, which: str) -> str:
  """Returns 'median (min to max)' of the seconds for one cine."""
  times = [t / case['batch'] for t in case['entries'][name]['seconds'][which]]
  return f'{statistics.median(times):.3g} ({min(times):.3g} to {max(times):.3g})'


def shape(case: dict) -> str:
  """Returns 'ear3d 16 x 128 x 128'."""
  return f'{case["network"]} {case["frames"]} x {case["size"]} x {case["size"]}'


def megabytes(value: float | None) -> str:
  """Returns a memory figure, or a dash where it could not be measured."""
  return '-' if value is None else f'{value:.0f}'


def of_ours(result: dict) -> str:
  """Returns the tables of `python -m ear_jax.benchmark`: passes, scaling, and loading where it was timed."""
  if not result['cases']:
    return of_loading(result['loading'])
  ceiling = result['machine']['matmul_gflops']
  heads = ['network and cine', 'on', 'forward, s', 'step, s', 'step, GFLOP/s', 'of matmul', 'compile, s', 'peak, MB']
  rows = []
  for case in result['cases']:
    for name, entry in case['entries'].items():
      speed = gflops(case, name, 'step')
      rows.append(
        [
          shape(case),
          name,
          *(spread(case, name, which) for which in PASSES),
          f'{speed:.0f}',
          f'{100 * speed / ceiling[str(entry["cores"])]:.0f} %',
          f'{sum(compile_seconds(case, name, which) for which in PASSES):.1f}',
          megabytes(entry['peak_memory']['step']),
        ]
      )
  limits = ', '.join(f'{value:.0f} GFLOP/s on {cores} core(s)' for cores, value in ceiling.items())
  text = f'Seconds for one cine, median (min to max). A large matrix product reaches {limits}.\n\n'
  text += markdown(heads, rows) + '\n' + _scaling(result['cases'])
  return text + ('\n' + of_loading(result['loading']) if 'loading' in result else '')


def of_loading(measured: dict) -> str:
  """Returns the table of what training batches cost, see `loading.measure_loading`."""
  heads = ['augmentation', 'made on', 'first epoch, cines a second', 'of a processor, s', 'later, of the host, ms']
  rows = [
    [
      row['augmentation'],
      'device' if row['on_device'] else 'host',
      f'{1 / row["first_seconds"]:.2f}',
      f'{row["first_processor"]:.2f}',
      f'{row["later_ms"]:.2f}',
      f'{row["device_ms"]:.0f}' if row['on_device'] else '-',
    ]
    for row in measured['rows']
  ]
  text = (
    f'Training batches of {measured["data"]} at crop {measured["crop"]}, {measured["threads"]} threads, a cine:\n\n'
  )
  return text + markdown([*heads, 'of the device here, ms'], rows)


def _scaling(cases: list[dict]) -> str:
  """How many times the cines per second of the first entry of each network and size."""
  base: dict[str, tuple[dict, str]] = {}
  lines = ''
  for case in cases:
    for name in case['entries']:
      first_case, first_name = base.setdefault(shape(case), (case, name))
      if case is not first_case:
        gains = [seconds(first_case, first_name, which) / seconds(case, name, which) for which in PASSES]
        lines += f'- {shape(case)}: {name} gives {gains[0]:.2f} (forward) and {gains[1]:.2f} (step) times the cines '
        lines += f'a second of {first_name}.\n'
  return lines
