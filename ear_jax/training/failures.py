"""Turns failures outside our code during a run (memory, disk) into a sentence that says what to change."""

import contextlib
import pathlib
from collections.abc import Iterator

import jax

from ear_jax.system.errors import UserError

# XLA, its allocators, and cuDNN that finds no room to try its convolutions.
_MEMORY = ('RESOURCE_EXHAUSTED', 'Out of memory', 'out of memory', 'Failed to determine best cudnn convolution')
_NO_THREAD = "can't start new thread"  # no room for its stack, or a limit of processes
_ADVICE = (
  'set a smaller --config.batch_size or --config.data.crop, --config.model.remat=True, --config.model.dtype=bfloat16, '
  'or smaller --config.data.cache_gb and --config.data.prefetch'
)


def is_lack_of_memory(fault: Exception) -> bool:
  """Returns whether an exception says that memory has run out, in one of its many ways."""
  if isinstance(fault, jax.errors.JaxRuntimeError):
    return any(words in str(fault) for words in _MEMORY)
  return isinstance(fault, MemoryError) or (isinstance(fault, RuntimeError) and _NO_THREAD in str(fault))


@contextlib.contextmanager
def failures_in_words(workdir: pathlib.Path) -> Iterator[None]:
  """Turns what the system refuses within the block into a UserError: memory, and reading and writing of files."""
  try:
    yield
  except (MemoryError, RuntimeError) as fault:
    if not is_lack_of_memory(fault):
      raise
    said = ' '.join(str(fault).split())[:160]
    raise UserError(
      f'out of memory{f" ({said})" if said else ""}: {_ADVICE}; what {workdir / "checkpoints"} holds is sound'
    ) from fault
  except OSError as fault:
    raise UserError(
      f'{fault.filename or workdir}: {fault.strerror or fault}; the run needs a --workdir that can be written and has '
      'room, and the same command goes on from its last checkpoint'
    ) from fault
