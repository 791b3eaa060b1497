"""Which settings train 3D-EAR best? One change at a time of `configs/ear3d.py` as it was, each on every fold.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
    python -m ear_jax.ablation --config configs/recipe.py --workdir runs/recipe

All runs have the same steps, so the same budget; each of the twelve people of `phantom_mini` is scored by the network
that was not trained on it. `phantom_other`, the test subjects, has no part in it. "As in ear3d.py" is what it was
before this grid and `recipe_long.py`: without deep supervision, and with a rate that falls.

Cost: 35 minutes on two busy CPU cores. What came out: `docs/results.md`.
"""

from configs import ablation


def get_config():
  """Returns the configuration of the grid."""
  config = ablation.get_config()
  config.changes.steps = 160
  config.changes.eval.every = 160
  config.changes.split = {'test_fraction': 0.0}  # all twelve take part; other people are there to test on
  config.grid = {}
  config.columns = ''
  config.folds = 2
  config.variants = (
    ('as in ear3d.py', {}),
    ('Dice + cross-entropy', {'loss': {'name': 'dice+cross_entropy'}}),
    ('deep supervision', {'model': {'deep_supervision': 2}}),
    ('constant rate', {'optimizer': {'schedule': 'constant'}}),
    ('no average of weights', {'optimizer': {'ema_decay': 0.0}}),
    ('no deformation', {'augment': {'rotate': 0.0, 'scale': 0.0, 'elastic': 0.0}}),
    ('batch norm', {'model': {'norm': 'batch'}}),
    ('time padded with zeros', {'model': {'time_padding': 'zero'}}),
    ('ConvLSTM in both directions', {'model': {'bidirectional': True}}),
    ('normalised by the window', {'data': {'normalise': 'window'}}),
    ('every fourth frame annotated', {'data': {'annotated_every': 4}}),
  )
  return config
