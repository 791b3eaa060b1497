"""Where the time of a step goes on a GPU, kernel by kernel, from a trace of jax's profiler."""

import glob
import gzip
import json
import tempfile

import jax


def kernels(program, state, batch, steps: int = 3) -> dict:
  """Returns where the time of a step goes on the device: of kernels by name, of conversions of layout, and launches."""
  state, _ = program(state, batch)
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(steps):
        state, metrics = program(state, batch)
      float(metrics['loss'])
    (path,) = glob.glob(f'{folder}/plugins/profile/*/*.trace.json.gz')
    with gzip.open(path) as file:
      events = json.load(file)['traceEvents']
  lanes = {e['pid'] for e in events if e.get('name') == 'process_name' and '/device:GPU' in e['args']['name']}
  streams = {
    (e['pid'], e['tid'])
    for e in events
    if e.get('name') == 'thread_name' and e['pid'] in lanes and 'Stream' in e['args']['name']
  }
  times: dict[str, list[float]] = {}
  for event in events:
    if event.get('ph') == 'X' and (event['pid'], event['tid']) in streams:
      times.setdefault(event['name'][:90], []).append(event['dur'] / 1e3)
  total = {name: sum(found) / steps for name, found in times.items()}
  most = sorted(total, key=total.get, reverse=True)[:25]
  return {
    'kernels_ms': sum(total.values()),
    'launches': sum(map(len, times.values())) / steps,
    'conversions_ms': sum(ms for name, ms in total.items() if 'nchwToNhwc' in name or 'nhwcToNchw' in name),
    'threads': sorted({e['args']['name'] for e in events if e.get('name') == 'thread_name' and e['pid'] in lanes})[:9],
    'most': [[name, round(total[name], 3), len(times[name]) / steps] for name in most],
  }
