"""Does the whole thing run here, and does 3D-EAR learn? A small 3D-EAR on `phantom_mini`, minutes on two CPU cores.

    make quickstart

is `tfds build`, then

    python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
    python -m ear_jax.evaluate --workdir runs/quickstart

MEASURED
"""

from configs import base


def get_config():
  """Returns the configuration."""
  config = base.get_config()
  config.steps = 300
  config.batch_size = 2
  config.data.crop = 96  # the whole picture
  config.data.shift = 6
  config.augment.flip = True
  config.augment.intensity = 0.5
  config.model.filters = (8, 16, 32)
  config.model.time_padding = 'cyclic'
  config.loss.name = 'dice_iou+cross_entropy'  # the second term keeps its slope near the optimum
  config.optimizer.learning_rate = 3e-3
  config.optimizer.ema_decay = 0.98
  config.eval.every = 100
  return config
