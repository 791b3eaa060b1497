"""Which network, trained with which loss? The paper's 3 x 3 grid with k folds as one command.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
    python -m ear_jax.ablation --config configs/ablation.py --workdir runs/ablation

The same command again resumes. `docs/ablation.md` says what comes out. The size is for a laptop; for the experiment as
it is, leave `changes` empty. `--config.test_data=mvm_cmr/phantom_other` has 12 test subjects instead of 2 (build it
first).

Cost: an hour and a half is expected of two idle CPU cores (it ran beside other work); what came out: `docs/results.md`.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  """Returns the configuration of the grid, which holds that of its runs as `base` and `changes`."""
  config = ConfigDict()
  config.base = 'configs/ear3d.py'  # the experiment that all runs share
  config.changes = ConfigDict(  # of the base, for all runs alike
    {
      'steps': 240,
      'eval': {'every': 120},
      'data': {'name': 'mvm_cmr/phantom_mini', 'dir': 'data', 'crop': 72},
      # Without what was found later to help every network (configs/recipe_long.py); the paper has neither.
      'model': {'filters': (4, 8, 16), 'deep_supervision': 0},
      'optimizer': {'schedule': 'cosine'},
    }
  )

  # Any field of the experiment can be an axis: a tuple of values stands where the experiment has one. For instance
  # 'data': {'channels': (1, 4)}, or 'model': {'attention': (...), 'temporal': (...), 'time_padding': (...)}.
  config.grid = ConfigDict(
    {
      'model': {'name': ('unet3d', 'unet3d_attention', 'ear3d')},
      'loss': {'name': ('cross_entropy', 'dice', 'dice_iou')},
    }
  )
  # One more axis, of sets of changes with names, as in configs/recipe.py; all are compared with the first.
  config.variants = ()
  config.columns = 'loss.name'  # axis across the tables; all others go down

  config.folds = 5  # subject-grouped, of the subjects outside the test set; each is the validation fold of one run
  config.seeds = (0,)  # each repeats everything: start, order of cines, augmentation
  config.together = False  # score the networks of all seeds together as well, by their mean probability
  config.checkpoint = 'latest'  # scored; 'best' of a fold is chosen on it, and makes cross-validation optimistic
  config.test_data = (
    ''  # another data set, name/config, all of whose subjects are test subjects; '': those of the split
  )
  config.metric = 'dice'  # of the comparisons, the box plots and the ranking

  config.launcher = ConfigDict()
  config.launcher.executor = 'local'  # or 'slurm'
  config.launcher.at_once = (
    0  # jobs at a time; 0: as many as fit here (cores / cpu_devices, or one a GPU), on SLURM all
  )
  config.launcher.cpu_devices = 1  # virtual devices of a job where there is no GPU
  config.launcher.gpus = ()  # numbers of this machine's GPUs, one a job, for executor 'local'
  config.launcher.slurm = ConfigDict(  # keywords of submitit's AutoExecutor
    {'timeout_min': 720, 'nodes': 1, 'tasks_per_node': 1, 'gpus_per_node': 1, 'cpus_per_task': 4, 'mem_gb': 32}
  )
  return config
