"""Does the whole thing run here, and does 3D-EAR learn? `ear3d.py` under a name of its own, minutes on two CPU cores.

    make quickstart

is `tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data`, then

    python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
    python -m ear_jax.evaluate --workdir runs/quickstart

MEASURED
"""

from configs import ear3d


def get_config():
  """Returns the configuration."""
  return ear3d.get_config()
