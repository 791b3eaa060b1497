"""A contest's figures as Markdown: one table of ratios, one of times, one of memory and compile time."""

from __future__ import annotations

from ear_jax.benchmarking import table
from ear_jax.benchmarking.worker import PASSES

TITLES = {'ours': 'ours', 'torch': 'PyTorch', 'keras': 'Keras'}


def title(name: str) -> str:
  """Returns the name of a contestant as it is printed: 'Keras (jit)' for 'keras:jit'."""
  framework, _, variant = name.partition(':')
  return TITLES[framework] + (f' ({variant})' if variant else '')


def of_contest(result: dict) -> str:
  """Returns the tables of all cases."""
  names = list(dict.fromkeys(name for case in result['cases'] for name in case['entries']))
  return '\n'.join([_machine(result), _ratios(result['cases']), _times(result, names), _costs(result['cases'], names)])


def best_peer_memory(case: dict, peers: list[str]) -> float | None:
  """Returns the least peak memory of a training step among peers in MB, or None where it is not known."""
  known = [case['entries'][peer]['peak_memory']['step'] for peer in peers]
  return None if None in known else min(known)


def _machine(result: dict) -> str:
  of, versions = result['machine'], {}
  for case in result['cases']:
    for entry in case['entries'].values():
      versions |= entry['versions']
  limits = ', '.join(f'{value:.0f} GFLOP/s on {cores} core(s)' for cores, value in of['matmul_gflops'].items())
  return (
    f'{of["processor"]}, {of["cores"]} cores ({", ".join(of["vectors"])}), {of["memory_gb"]:.0f} GB, {of["system"]}; '
    f'a large float32 matrix product reaches {limits}. '
    + ', '.join(f'{name} {version}' for name, version in sorted(versions.items()))
    + '.\n'
  )


def _ratios(cases: list[dict]) -> str:
  """Ours over the better peer, for time and for memory."""
  rows = []
  for case in cases:
    peers = [name for name in case['entries'] if name != 'ours']
    if peers:
      least, ours = best_peer_memory(case, peers), case['entries']['ours']['peak_memory']['step']
      rows.append(
        [
          table.shape(case),
          str(case['batch']),
          *(f'{table.ratio(case, "ours", peers, which):.2f}' for which in PASSES),
          '-' if least is None else f'{ours / least:.2f}',
        ]
      )
  heads = ['ours / better peer', 'batch', 'forward', 'training step', 'peak memory of the step']
  return table.markdown(heads, rows)


def _times(result: dict, names: list[str]) -> str:
  ceiling = result['machine']['matmul_gflops']
  heads = ['seconds a cine, median (min to max)', 'batch', 'pass', *map(title, names), 'ours, of matmul']
  rows = []
  for case in result['cases']:
    for which in PASSES:
      times = [table.spread(case, name, which) if name in case['entries'] else '-' for name in names]
      share = table.gflops(case, 'ours', which) / ceiling[str(case['entries']['ours']['cores'])]
      rows.append([table.shape(case), str(case['batch']), which, *times, f'{100 * share:.0f} %'])
  return table.markdown(heads, rows)


def _costs(cases: list[dict], names: list[str]) -> str:
  heads = ['memory and compile time', 'batch', 'what', *map(title, names)]
  rows = []
  for case in cases:
    found = [(name, case['entries'].get(name)) for name in names]
    memory = {which: [(e and table.megabytes(e['peak_memory'][which])) or '-' for _, e in found] for which in PASSES}
    compiling = [
      f'{sum(table.compile_seconds(case, name, which) for which in PASSES):.1f}' if entry else '-'
      for name, entry in found
    ]
    start = [table.shape(case), str(case['batch'])]
    rows.append([*start, 'step, peak MB', *memory['step']])
    rows.append([*start, 'forward, peak MB', *memory['forward']])
    rows.append([*start, 'compile, s', *compiling])
  return table.markdown(heads, rows)
