"""Real data: end-diastolic frames of the Sunnybrook cines (draft)."""

from configs import base


def get_config():
  config = base.get_config()
  config.data.name = 'sunnybrook/frames'
  config.data.channels = 1
  config.model.name = 'unet3d_attention'
  config.batch_size = 8
  config.data.crop = 128
  config.augment.flip = True
  config.augment.rotate = 30.0
  config.augment.scale = 0.2
  config.augment.elastic = 1.5
  config.augment.intensity = 1.0
  config.loss.name = 'dice_iou+cross_entropy'
  config.optimizer.learning_rate = 2e-3
  config.optimizer.weight_decay = 1e-2
  config.optimizer.ema_decay = 0.995
  config.eval.batch_size = 4
  return config
