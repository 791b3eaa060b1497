"""The baseline rung of the ladder: `ear3d.py` without attention and without recurrence. Commands as there.

Cost: 8 minutes on two CPU cores (1.0 s a step). Not measured since `ear3d.py` deforms hearts; before that subject-mean
Dice was 0.842 +- 0.052 on the 2 test subjects.
"""

from configs import ear3d


def get_config():
  """Returns the configuration."""
  config = ear3d.get_config()
  config.model.name = 'unet3d'
  return config
