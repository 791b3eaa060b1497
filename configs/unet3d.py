"""The baseline rung of the ladder: `ear3d.py` without attention and without recurrence. Commands as there.

Not measured to its end yet: the comparison of the three belongs in one table, over folds and seeds.
"""

from configs import ear3d


def get_config():
  """Returns the configuration."""
  config = ear3d.get_config()
  config.model.name = 'unet3d'
  return config
