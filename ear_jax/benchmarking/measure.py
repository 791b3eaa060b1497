"""Our network timed by itself: on one core, on all cores as one device, on a device a core; and what surrounds it."""

import dataclasses
from collections.abc import Sequence

from absl import logging
from ml_collections import ConfigDict

from ear_jax.benchmarking import contest, flops, loading, machine
from ear_jax.benchmarking.cases import CHANNELS, Case
from ear_jax.benchmarking.ours import network

OURS = 'ear_jax.benchmarking.ours'


def measure(cases: Sequence[Case], *, on: Sequence[str], rounds: int, config: ConfigDict | None = None) -> dict:
  """Returns all figures as plain types; each entry is a case with one contestant.

  Args:
    cases: what is timed; their `batch` gives way to a cine a device.
    on: where, see `entries`.
    rounds: how often each is timed, in turn.
    config: whole training configuration whose batches are timed; None: none are.
  """
  result: dict = {'machine': machine.describe() | {'load': warn_if_busy()}, 'cases': []}
  if config is not None:
    logging.info('training batches of %s', config.data.name)
    what = {'data': config.data.name, 'crop': config.data.crop, 'threads': config.data.threads}
    result['loading'] = what | {'rows': loading.measure_loading(config)}
    if not cases:
      return result
  result['machine']['matmul_gflops'] = ceilings()
  for case in cases:
    logging.info('%s %d x %d x %d', case.network, case.frames, case.size, case.size)
    group = entries(case, on)
    results = contest.hold(group, rounds=rounds, report=logging.info)
    result['cases'] += [record(entry.case, {entry.name: results[entry.name]}) for entry in group]
  return result


def entries(case: Case, on: Sequence[str]) -> list[contest.Entry]:
  """Returns ours 'on' one 'core', on all cores as one 'device', or on 'devices', one a core, with a cine each."""
  cores = machine.cores()

  def entry(title, cores, devices):
    return contest.Entry(title, OURS, dataclasses.replace(case, batch=devices), cores, devices)

  named = {
    'core': entry('1 core', cores[:1], 1),
    'device': entry(f'{len(cores)} cores, 1 device', cores, 1),
    'devices': entry(f'{len(cores)} cores, {len(cores)} devices', cores, len(cores)),
  }
  return [named[name] for name in on]


def warn_if_busy() -> float:
  """Returns the load of other programs before anything is timed, and warns where it would spoil the times."""
  load = machine.others()
  if load > 0.3:
    logging.warning('other programs keep %.1f cores busy: times will be longer, and ratios less certain', load)
  return load


def ceilings() -> dict[str, float]:
  """Returns the GFLOP/s of a large float32 matrix product by the number of cores it may use."""
  gflops = {}
  case = Case('unet3d', 1, 2, 1, (2,))  # not loaded: only the device is wanted
  for cores in {1: machine.cores()[:1], len(machine.cores()): machine.cores()}.values():
    with contest.Worker(contest.Entry('matrix product', OURS, case, cores)) as worker:
      worker.open()
      gflops[str(len(cores))] = worker.ask('ceiling')['gflops']
  return gflops


def record(case: Case, result: dict) -> dict:
  """Returns one case's figures with what it is and how much arithmetic it takes (GFLOP a batch)."""
  work = flops.count(network(case), (case.batch, case.frames, case.size, case.size, CHANNELS))
  return {
    'network': case.network,
    'frames': case.frames,
    'size': case.size,
    'filters': list(case.filters),
    'batch': case.batch,
    'gflop': {'forward': work.forward / 1e9, 'step': work.step / 1e9},
    'entries': result,
  }
