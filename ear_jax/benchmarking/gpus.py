"""GPUs by name, as the compiler needs to know them: a program can be compiled for one that is not here.

The figures are those of NVIDIA's data sheets and of its table of compute capabilities.
"""

import dataclasses
import os

import jax
from jax.experimental import topologies

from ear_jax.system.errors import UserError

_CUDNN = (9, 15)  # the first after those that are wrong in bfloat16


@dataclasses.dataclass(frozen=True)
class Gpu:
  """One model of a GPU.

  Attributes:
    title: as its maker calls it.   capability: of compute, (major, minor).
    memory: bytes.   bandwidth: bytes a second.   clock: GHz.   cache: bytes of the second level.
    cores: multiprocessors.   units: float32 units of each.   threads: most on one.
    shared: bytes of shared memory of each.   reserved: of which a block cannot have.
  """

  title: str
  capability: tuple[int, int]
  memory: int
  bandwidth: float
  clock: float
  cache: int
  cores: int
  units: int
  threads: int
  shared: int
  reserved: int = 1024

  def description(self) -> str:
    """Returns what XLA wants to know, as the text of its `GpuTargetConfigProto`."""
    device = {
      'threads_per_block_limit': 1024,
      'threads_per_warp': 32,
      'threads_per_core_limit': self.threads,
      'shared_memory_per_block': 48 * 1024,
      'shared_memory_per_block_optin': self.shared - self.reserved,
      'shared_memory_per_core': self.shared,
      'registers_per_block_limit': 65536,
      'registers_per_core_limit': 65536,
      'block_dim_limit_x': 2**31 - 1,
      'block_dim_limit_y': 65535,
      'block_dim_limit_z': 65535,
      'core_count': self.cores,
      'fpus_per_core': self.units,
      'clock_rate_ghz': self.clock,
      'l2_cache_size': self.cache,
      'memory_bandwidth': int(self.bandwidth),
      'device_memory_size': self.memory,
    }
    major, minor = self.capability
    return f"""
      gpu_device_info {{
        {' '.join(f'{name}: {value}' for name, value in device.items())}
        cuda_compute_capability {{ major: {major} minor: {minor} }}
      }}
      platform_name: "CUDA"
      device_description_str: "{self.title}"
      dnn_version_info {{ major: {_CUDNN[0]} minor: {_CUDNN[1]} }}
    """


_MB, _GB = 2**20, 2**30
GPUS = {
  'rtx2080ti': Gpu('RTX 2080 Ti', (7, 5), 11 * _GB, 616e9, 1.545, 5632 * 1024, 68, 64, 1024, 64 * 1024, 0),
  'rtx4090': Gpu('RTX 4090', (8, 9), 24 * _GB, 1008e9, 2.52, 72 * _MB, 128, 128, 1536, 100 * 1024),
  'a100': Gpu('A100', (8, 0), 80 * _GB, 2039e9, 1.41, 40 * _MB, 108, 64, 2048, 164 * 1024),
  'h100': Gpu('H100', (9, 0), 80 * _GB, 3352e9, 1.98, 50 * _MB, 132, 128, 2048, 228 * 1024),
}


def compile_only(name: str) -> jax.Device:
  """Returns a device that programs can be compiled for, and nothing can run on.

  Args:
    name: one of `GPUS`.

  Raises: UserError where jax's CUDA plugin is not installed.
  """
  jax.config.update('jax_enable_compilation_cache', False)  # what no device here can load is not to be found again
  # Its check of the versions asks the driver, which is only where there is a GPU; it is left out for such platforms.
  platforms = jax.config.values['jax_platforms']
  jax.config.update('jax_platforms', 'cpu')
  try:
    gpu = GPUS[name]
    topology = topologies.get_topology_desc(name, 'cuda', topology='1x1x1', target_config=gpu.description())
  except NotImplementedError:
    raise UserError(
      f'compiling for {name} needs jax\'s CUDA plugin, but no GPU: pip install "jax[cuda12]=={jax.__version__}"'
    ) from None
  finally:
    jax.config.update('jax_platforms', platforms)
  return topology.devices[0]


def usable(name: str) -> int:
  """Returns the bytes that jax takes of a GPU: three quarters, or what `XLA_PYTHON_CLIENT_MEM_FRACTION` says."""
  return int(GPUS[name].memory * float(os.environ.get('XLA_PYTHON_CLIENT_MEM_FRACTION', '.75')))
