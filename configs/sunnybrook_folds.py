"""How well does the network delineate hearts it has not seen? Five folds over all Sunnybrook patients.

    tfds build data_builders/sunnybrook --config=frames --manual_dir=$SUNNYBROOK_DIR --data_dir=data
    python -m ear_jax.ablation --config configs/sunnybrook_folds.py --workdir runs/sunnybrook_folds

Every patient is scored by the networks of the fold that it is not in: by each of two, which differ in their seed, and
by their mean. The last checkpoint of each run counts. `configs/sunnybrook.py` is the recipe.

Cost: 30 minutes on two CPU cores.
Score: subject-mean Dice 0.800 +- 0.052 (SD over the 35 patients, 321 frames) of one network, 0.803 +- 0.053 of two
together, 0.824 +- 0.044 with the slices of a patient pooled; 2026-11-26. `docs/results.md` has it fold by fold.
"""

from configs import ablation


def get_config():
  """Returns the configuration of the grid."""
  config = ablation.get_config()
  config.base = 'configs/sunnybrook.py'
  config.changes = {'split': {'test_fraction': 0.0}}  # all 35 patients take part
  config.grid = {'model': {'name': ('unet3d',)}}
  config.columns = ''
  config.seeds = (0, 1)
  config.together = True  # what ships are two networks that answer with their mean
  return config
