"""`large_passes.py N` prints how far N passes of 3D-EAR over long cines on two devices are from those on one.

With convolutions by Eigen, such passes gave other numbers each time.
"""

import sys

from ear_jax.system import cli

cli.request_cpu_devices(2, 2)
import jax  # noqa: E402
import numpy as np  # noqa: E402

from configs import base  # noqa: E402
from ear_jax.devices.placement import Placement  # noqa: E402
from ear_jax.models import build_model  # noqa: E402

model, placement = build_model(base.get_config().model), Placement(jax.local_devices())
shape = (len(placement.devices), 1, 50, 128, 128, 4)
videos = np.random.default_rng(0).standard_normal(shape, np.float32)
variables = model.init(jax.random.key(0), videos[0, :, :, :16, :16])
alone = [np.asarray(jax.jit(model.apply)(variables, video)) for video in videos]
apply, replicated, batch = placement.pmap_apply(model.apply), placement.replicate(variables), placement.shard(videos)
for number in range(int(sys.argv[1])):
  print(number, max(np.abs(a - b).max() for a, b in zip(apply(replicated, batch), alone, strict=True)))
