"""`ear3d.py` under the name that `make quickstart` uses: minutes on two CPU cores. Cost and score as there.

python -m ear_jax.train --config configs/quickstart.py --workdir runs/quickstart
"""

from configs.ear3d import get_config

__all__ = ['get_config']
