"""Do the winners of `recipe.py` win over as many steps as `ear3d.py` has? The same grid with 420 steps.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
    python -m ear_jax.ablation --config configs/recipe_long.py --workdir runs/recipe_long

Cost: six jobs of 8 minutes on one core of a busy machine. What came out: `docs/results.md`.
"""

from configs import recipe


def get_config():
  """Returns the configuration of the grid."""
  config = recipe.get_config()
  config.changes.steps = config.changes.eval.every = 420
  config.variants = (
    ('neither', _recipe(levels=0, schedule='cosine')),
    ('deep supervision', _recipe(levels=2, schedule='cosine')),
    ('deep supervision and constant rate', _recipe(levels=2, schedule='constant')),
  )
  return config


def _recipe(levels, schedule):
  return {'model': {'deep_supervision': levels}, 'optimizer': {'schedule': schedule}}
