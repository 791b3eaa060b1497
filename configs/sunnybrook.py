"""How well does the network delineate real hearts? End-diastolic Sunnybrook frames (magnitude, T = 1).

    tfds build data_builders/sunnybrook --config=frames --manual_dir=$SUNNYBROOK_DIR --data_dir=data
    python -m ear_jax.train --config configs/sunnybrook.py --workdir runs/sunnybrook
    python -m ear_jax.evaluate --workdir runs/sunnybrook

A single frame has no time, so the recurrence has nothing to do; the attention is left out too, since on a CPU it takes
as long as the rest of the network. `--config.model.name=ear3d` switches both on.

Cost: 6 minutes on one CPU core (0.08 s a step), 0.41 M parameters.
Score, in five folds (`configs/sunnybrook_folds.py`): subject-mean myocardium Dice 0.800 +- 0.052 (SD over 35 patients,
321 frames, whole 256 x 256 slices), two seeds, 2026-11-26. `docs/results.md` says what else was tried.
"""

from configs import base


def get_config():
  """Returns the configuration."""
  config = base.get_config()
  config.steps = 4000
  config.batch_size = 2
  config.data.name = 'sunnybrook/frames'
  config.data.channels = 1
  config.data.crop = 96  # about 125 mm: holds every wall but for a few pixels of one frame
  config.data.normalise = 'window'  # fat close to the coil is left out
  config.data.spacing = 1.3  # mm; the frames do not say it, the DICOM of the same data has 1.25 to 1.37
  config.augment.rot90 = False  # patients lie the same way: left and right ventricle keep their sides
  config.augment.rotate = 30.0
  config.augment.scale = 0.2
  config.augment.elastic = 1.5
  config.augment.intensity = 1.0
  config.split.folds = 7  # 24 patients train, 4 validate, 7 test
  config.model.name = 'unet3d'
  config.model.filters = (8, 16, 32, 64)  # as good as twice as many, which take 2.4 times as long
  config.model.time_kernel = 1
  config.model.deep_supervision = 2
  config.loss.name = 'dice_iou+cross_entropy'  # the second term keeps its slope near the optimum
  config.optimizer.learning_rate = 2e-3
  config.optimizer.weight_decay = 1e-2
  config.optimizer.ema_decay = 0.997
  config.eval.every = 1000
  config.eval.batch_size = 4
  config.log_every = 50
  return config
