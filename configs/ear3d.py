"""3D-EAR on `phantom_mini`, small enough for a laptop; `unet3d.py` and `unet3d_attention.py` leave parts of it out.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
    python -m ear_jax.train --config configs/ear3d.py --workdir runs/ear3d
    python -m ear_jax.evaluate --workdir runs/ear3d

MEASURED

For the cines of the paper's size, on a GPU (not run by us): `--config.data.name=mvm_cmr/phantom_paper
--config.data.crop=192 --config.model.filters=16,32,64,128` after `tfds build data_builders/mvm_cmr
--config=phantom_paper`.
"""

from configs import base


def get_config():
  """Returns the configuration."""
  config = base.get_config()
  config.steps = 300
  config.data.crop = 96  # the whole picture of phantom_mini
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
