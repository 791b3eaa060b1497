"""Times the convolution and the training step against an older revision: `python -m benchmarks.convolution`.

The older revision is taken from git's history into a temporary folder and imported beside the working tree, so that
both, and XLA's own convolution, are timed in one process, in turn: on a machine that does other work too, only ratios
mean something. `--parts=step` leaves the single layers out. `--parts=checkpoint` compares with norms and activations
done where they stand, and `jax.checkpoint` told to keep the convolutions' results of each block.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import subprocess
import sys
import tarfile
import tempfile
import time
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax.ad_checkpoint import checkpoint_name

from ear_jax.system import cli
from ear_jax.system.errors import UserError

# One device's share of a step, 16 frames: size, channels in and out, extent in time.
LAYERS = (
  *((80, 4, 8, 3), (80, 8, 16, 3), (80, 16, 16, 1), (80, 32, 8, 3), (40, 16, 32, 3), (40, 64, 16, 3), (20, 32, 64, 3)),
  *((128, 4, 16, 3), (128, 16, 32, 3), (128, 32, 32, 1), (128, 64, 16, 3), (64, 64, 64, 1), (64, 128, 32, 3)),
  *((32, 128, 128, 1), (32, 256, 64, 3), (16, 128, 256, 3), (16, 512, 128, 3)),
)
STEPS = {'quickstart': (80, (8, 16, 32)), 'default filters': (128, (16, 32, 64, 128))}  # size and filters
NEEDED = ('models', 'models.attention', 'models.blocks', 'models.conv', 'models.unet3d')
NEEDED += ('training.optim', 'training.state', 'training.steps')


def load(folder: str) -> SimpleNamespace:
  """Imports the parts of `ear_jax` that are timed from `folder`, '' for the working tree, beside what is imported."""
  kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] in ('ear_jax', 'configs')}
  sys.path.insert(0, folder)
  try:
    parts = {name.split('.')[-1]: importlib.import_module(f'ear_jax.{name}') for name in NEEDED}
    moved = importlib.util.find_spec('ear_jax.devices') is not None
    parts['placement'] = importlib.import_module(f'ear_jax.{"devices.placement" if moved else "training.parallel"}')
    return SimpleNamespace(**parts, config=importlib.import_module('configs.ear3d').get_config)
  finally:
    sys.path.remove(folder)
    for name in [name for name in sys.modules if name.split('.')[0] in ('ear_jax', 'configs')]:
      del sys.modules[name]
    sys.modules.update(kept)


def revision(name: str, folder: str) -> None:
  """Writes the package and the configurations of a revision into a folder."""
  outcome = subprocess.run(['git', 'archive', name, 'ear_jax', 'configs'], capture_output=True)
  if outcome.returncode:
    raise UserError(f'--against {name}: {outcome.stderr.decode().strip()}')
  with tarfile.open(fileobj=io.BytesIO(outcome.stdout)) as archive:
    archive.extractall(folder, filter='data')


def with_checkpoint(code: SimpleNamespace) -> SimpleNamespace:
  """Returns the code with norm and activation done at once, and again for the gradient by `jax.checkpoint`."""
  convolve = code.conv.conv3d
  code.conv.conv3d = lambda *args: checkpoint_name(convolve(*args), 'convolution')
  at_once = lambda function, *videos, constants=(): function(*map(jnp.asarray, videos), *constants)  # noqa: E731
  code.blocks.pixelwise = code.attention.pixelwise = at_once
  policy = jax.checkpoint_policies.save_only_these_names('convolution')
  code.unet3d.ConvBlock = nn.remat(code.blocks.ConvBlock, policy=policy)
  return code


def in_turn(functions: dict, rounds: int) -> dict[str, float]:
  """Returns the median seconds of each function, called one after the other in every round."""
  for function in functions.values():
    function()
  seconds = {name: [] for name in functions}
  for _ in range(rounds):
    for name, function in functions.items():
      start = time.perf_counter()
      function()
      seconds[name].append(time.perf_counter() - start)
  return {name: float(np.median(values)) for name, values in seconds.items()}


def layer(forms: dict, size: int, c: int, f: int, kt: int, rounds: int) -> tuple[dict, dict]:
  """Returns the seconds of each form of a convolution, for its value and for its value and both gradients."""
  rng = np.random.default_rng(0)
  shapes = (1, 16, size, size, c), (kt, 3, 3, c, f), (1, 16, size, size, f)
  x, kernel, dy = (jnp.asarray(rng.normal(size=shape).astype(np.float32)) for shape in shapes)

  def call(function, *args):
    compiled = jax.jit(function).lower(*args).compile()
    return lambda: jax.block_until_ready(compiled(*args))

  def gradients(form):
    def run(x, kernel, dy):
      y, pull = jax.vjp(form, x, kernel)
      return y, *pull(dy)

    return run

  value = {name: call(form, x, kernel) for name, form in forms.items()}
  both = {name: call(gradients(form), x, kernel, dy) for name, form in forms.items()}
  return in_turn(value, rounds), in_turn(both, rounds)


def time_layers(new: SimpleNamespace, old: SimpleNamespace, rounds: int) -> None:
  """Prints a table of single convolutions."""
  forms = {'native': lambda x, k: new.conv.native_conv3d(x, k, 'cyclic')}
  forms |= {'old': lambda x, k: old.conv.conv3d(x, k, 'cyclic'), 'new': lambda x, k: new.conv.conv3d(x, k, 'cyclic')}
  print('\n| 16 frames, kernel | native | old | new | old / new | with gradients: native | old | new | old / new |')
  print('|---' * 9 + '|')
  for size, c, f, kt in LAYERS:
    cells = []
    for ms in layer(forms, size, c, f, kt, rounds):
      cells += [f'{1e3 * ms[name]:.0f}' for name in forms] + [f'{ms["old"] / ms["new"]:.2f}']
    print(f'| {size}², {c} to {f}, {kt}x3x3 | ' + ' | '.join(cells) + ' |', flush=True)


def make_step(code: SimpleNamespace, size: int, filters: tuple[int, ...]):
  """Returns a function that does one training step of two cines on two devices, and its peak temporary bytes."""
  config = code.config()
  config.data.crop, config.model.filters = size, filters
  model = code.models.build_model(config.model, code.placement.AXIS)
  optimizer = code.optim.make_optimizer(config.optimizer, config.steps)
  placement = code.placement.Placement(jax.local_devices()[:2])
  step = placement.pmap_step(
    code.steps.make_train_step(
      model, optimizer, config.loss, ema_decay=config.optimizer.ema_decay, axis_name=code.placement.AXIS
    )
  )
  rng = np.random.default_rng(0)
  video = rng.normal(size=(2, 1, 16, size, size, 4)).astype(np.float32)
  mask = (video[..., 0] > 1).astype(np.uint8)
  batch = placement.shard({'video': video, 'mask': mask, 'annotated': np.ones((2, 1, 16), bool)})
  holder = [placement.replicate(code.state.initial_state(config, optimizer))]
  memory = step.lower(holder[0], batch).compile().memory_analysis().temp_size_in_bytes

  def run():
    holder[0], metrics = step(holder[0], batch)
    jax.block_until_ready(metrics)

  return run, memory


def time_steps(new: SimpleNamespace, old: SimpleNamespace, rounds: int, title: str = 'old') -> None:
  """Prints a table of whole training steps."""
  print(f'\n| training step, batch 2, 2 devices | {title}, s | new, s | {title} / new | {title}, MB | new, MB |')
  print('|---' * 6 + '|')
  for name, (size, filters) in STEPS.items():
    steps = {key: make_step(code, size, filters) for key, code in (('old', old), ('new', new))}
    seconds = in_turn({key: run for key, (run, _) in steps.items()}, rounds)
    megabytes = {key: memory / 1e6 for key, (_, memory) in steps.items()}
    print(
      f'| {name}: 16x{size}x{size}, filters {filters} | {seconds["old"]:.2f} | {seconds["new"]:.2f} | '
      f'{seconds["old"] / seconds["new"]:.2f} | {megabytes["old"]:.0f} | {megabytes["new"]:.0f} |',
      flush=True,
    )


def main() -> None:
  """Reads the command line and times what it asks for."""
  cli.run(
    _time,
    flags.DEFINE_string('against', 'e57cb38', 'Revision to compare with; the default has XLA derive gradients.'),
    flags.DEFINE_list('parts', ['layers', 'step'], 'What to time: layers, step, checkpoint.'),
    flags.DEFINE_integer('rounds', 5, 'Times each variant is run, in turn.'),
  )


def _time(given: SimpleNamespace) -> None:
  cli.request_cpu_devices(2, 2)
  new = load('')
  with tempfile.TemporaryDirectory() as folder:
    revision(given.against, folder)
    old = load(folder)
    if 'layers' in given.parts:
      time_layers(new, old, given.rounds)
    if 'step' in given.parts:
      time_steps(new, old, given.rounds)
  if 'checkpoint' in given.parts:
    time_steps(new, with_checkpoint(load('')), given.rounds, 'checkpoint')


if __name__ == '__main__':
  main()
