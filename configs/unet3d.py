"""The baseline rung of the ladder: `ear3d.py` without attention and without recurrence. Commands as there.

Cost: 8 minutes on two CPU cores (1.0 s a step). Score: subject-mean Dice 0.842 +- 0.052 (SD over the 2 test subjects,
96 frames; 0.899 on the 2 validation subjects), one seed, last seen 2026-11-22. With two subjects and one seed this does
not rank the networks.
"""

from configs import ear3d


def get_config():
  """Returns the configuration."""
  config = ear3d.get_config()
  config.model.name = 'unet3d'
  return config
