"""Does the whole thing run here, and does 3D-EAR learn? `ear3d.py` under a name of its own, minutes on two CPU cores.

    make quickstart

is `tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data`, then

    python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
    python -m ear_jax.evaluate --workdir runs/quickstart

Cost: 8 minutes on two CPU cores (0.8 to 1.1 s a step), 0.64 M parameters; with installation and data 10 minutes.
Score: subject-mean Dice 0.886 +- 0.035 (SD) on the 12 subjects of `phantom_other`; 0.900 +- 0.009 on the 2 test
subjects of `phantom_mini`, which were looked at while settings were chosen; 0.920 on 2 validation subjects. One seed,
2026-11-26; `docs/results.md` has other runs.
"""

from configs import ear3d


def get_config():
  """Returns the configuration."""
  return ear3d.get_config()
