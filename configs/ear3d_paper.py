"""The network and schedule that the authors released, at 128 x 128, with the paper's loss and augmentation.

    tfds build data_builders/mvm_cmr --config=phantom_paper --data_dir=data
    python -m ear_jax.train --config configs/ear3d_paper.py --workdir runs/ear3d_paper

For comparison with the paper and its code, not for use: 216.1 M parameters, most of them in two dense LSTMs that fit
this crop alone, and a learning rate of 1e-5 for 1000 epochs. Where paper and code disagree it takes the code for the
network and the paper for loss and augmentation. The paper's 0.91 belongs to its private data.

Not trained to its end by us: it is meant for GPUs. A test builds it and checks its parameter count.
"""

from configs import base


def get_config():
  """Returns the configuration."""
  config = base.get_config()
  config.steps = 40_000  # about 1000 epochs of the 80 training slices of one fold of phantom_paper
  config.batch_size = 2
  config.data.name = 'mvm_cmr/phantom_paper'
  config.data.crop = 128  # the released code shrinks the whole 512 x 512 picture instead
  config.data.shift = 0
  config.data.normalise = 'joint'
  config.model.filters = (32, 64, 128, 256)
  config.model.temporal = 'dense_lstm'
  config.model.temporal_sites = ('encoder', 'decoder')
  config.model.norm = 'batch'
  config.model.activate = 'last'
  config.loss.reduction = 'batch'
  config.optimizer.learning_rate = 1e-5
  config.optimizer.schedule = 'constant'
  config.optimizer.warmup_steps = 0
  config.optimizer.clip_norm = 0.0
  config.eval.every = 1000
  return config
