"""What lets the network be measured where only jax, flax and optax are installed."""

import importlib.util
import sys
import types


def do_without_configurations() -> None:
  """Puts an empty `ml_collections` where there is none: the network reads no configuration, its modules name one."""
  if importlib.util.find_spec('ml_collections') is None:
    sys.modules['ml_collections'] = types.ModuleType('ml_collections')
    sys.modules['ml_collections'].ConfigDict = dict
