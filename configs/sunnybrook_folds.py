"""How well does the network delineate hearts it has not seen? Five folds over all Sunnybrook patients.

    tfds build data_builders/sunnybrook --config=frames --manual_dir=$SUNNYBROOK_DIR --data_dir=data
    python -m ear_jax.ablation --config configs/sunnybrook_folds.py --workdir runs/sunnybrook_folds

Every patient is scored by the networks of the fold that it is not in: by each of three, which differ in their seed, and
by their mean. The last checkpoint of each run counts. `configs/sunnybrook.py` is the recipe.

Cost: not run whole yet; about three and a half hours on two CPU cores are expected.
"""

from configs import ablation


def get_config():
  """Returns the configuration of the study."""
  config = ablation.get_config()
  config.base = 'configs/sunnybrook.py'
  config.changes = {'split': {'test_fraction': 0.0}}  # all 35 patients take part
  config.grid = {'model': {'name': ('unet3d',)}}
  config.columns = ''
  config.seeds = (0, 1)
  config.together = True  # what ships are two networks that answer with their mean
  return config
