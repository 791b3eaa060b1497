"""Do the weights that ship help five annotated subjects? Starting from `ear3d-phantom` against starting from nothing.

    tfds build data_builders/mvm_cmr --config=phantom_other --data_dir=data
    python -m ear_jax.ablation --config configs/fine_tuning.py --workdir runs/fine_tuning

Six people of `phantom_other`: each run trains on five of them and is scored on the sixth; the networks of the six runs
then segment the other six people together.

Cost: about 20 minutes on two CPU cores. What came out: `docs/results.md`.
"""

from configs import ablation


def get_config():
  """Returns the configuration of the grid."""
  config = ablation.get_config()
  config.changes = {
    'steps': 60,
    'eval': {'every': 60},
    'data': {'name': 'mvm_cmr/phantom_other'},
    'split': {'test_fraction': 0.5},
    'model': {'deep_supervision': 0},  # as `ear3d-phantom` was trained
    'optimizer': {'schedule': 'cosine'},
  }
  config.grid = {'init_from': ('', 'ear3d-phantom')}
  config.columns = ''
  config.folds = 6
  return config
