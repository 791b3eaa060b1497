"""The network that ships as `ear3d-velocity`: a frame with its velocities, learnt from phantom people of every look.

    tfds build data_builders/mvm_cmr --config=phantom_crowd --data_dir=data
    python -m ear_jax.train --config configs/ear3d_velocity.py --workdir runs/velocity
    python -m ear_jax.export --checkpoint runs/velocity --output ear_jax/networks/weights/ear3d-velocity.zip

It begins with the weights of `ear3d-magnitude` and learns what velocities add. The training set lies in the device's
memory and is augmented there; quarter turns and mirror images make it indifferent to how a picture is stored.

Cost: 1795 of the steps took 65 minutes on one CPU core, on the first 500 people alone. 0.92 M parameters.
Score: Dice 0.890 +- 0.036 (SD) on twelve people of another generator, 0.916 +- 0.021 together with `ear3d-magnitude`,
with `data.tone`, which it had no more than that one while it learnt. One seed, 2026-11-28.
"""

from configs import ear3d_magnitude


def get_config():
  """Returns the configuration."""
  config = ear3d_magnitude.get_config()
  config.init_from = 'ear3d-magnitude'
  config.steps = 2000
  config.data.channels = 4
  config.augment.rot90 = True
  config.augment.flip = True
  config.optimizer.learning_rate = 1.5e-3
  config.optimizer.schedule = 'cosine'
  config.optimizer.warmup_steps = 50
  config.optimizer.ema_decay = 0.99
  return config
