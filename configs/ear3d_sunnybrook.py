"""The networks that ship together as `ear3d-sunnybrook`: `sunnybrook.py` on all 35 patients, twice.

    tfds build data_builders/sunnybrook --config=frames --manual_dir=$SUNNYBROOK_DIR --data_dir=data
    for seed in 0 1; do
      python -m ear_jax.train --config configs/ear3d_sunnybrook.py --workdir runs/sunnybrook$seed --config.seed=$seed
    done
    python -m ear_jax.export --checkpoint runs/sunnybrook0,runs/sunnybrook1 \\
      --output ear_jax/networks/weights/ear3d-sunnybrook.zip

No patient is left to test them on: `configs/sunnybrook_folds.py` says how good this recipe is on patients it has not
seen.

Cost: 6 minutes a network on one CPU core, 0.41 M parameters each.
"""

from configs import sunnybrook


def get_config():
  """Returns the configuration."""
  config = sunnybrook.get_config()
  config.split.test_fraction = 0.0
  config.split.fold = -1
  config.cpu_devices = 1
  return config
