"""PyTorch as a contestant, see `ear_jax.benchmarking.worker`. Variants: 'contiguous', 'compile', both with '+'."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks import torch_network, weights
from ear_jax.benchmarking import worker
from ear_jax.benchmarking.cases import CHANNELS, CLASSES, Case


class Torch:
  """The network by oneDNN in the channels-last layout, eager unless the variant says otherwise."""

  def __init__(self, threads: int, variant: str):
    torch.set_num_threads(threads)
    self._variants = variant.split('+')
    last = {4: torch.channels_last, 5: torch.channels_last_3d}  # by number of axes
    self._layouts = {} if 'contiguous' in self._variants else last
    self.versions = {'torch': torch.__version__}

  def load(self, case: Case, path: str) -> int:
    """See `worker.Implementation`."""
    network = torch_network.UNet3D(CHANNELS, CLASSES, case.filters, ear=case.network == 'ear3d')
    _copy(weights.read(path), network)
    self._network = network
    for parameter in network.parameters():  # `network.to` knows one number of axes only
      parameter.data = self._laid_out(parameter.data)
    self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3)
    self._run = torch.compile(self._network) if 'compile' in self._variants else self._network
    video, mask = map(torch.from_numpy, case.inputs())
    self._video = self._laid_out(video.movedim(-1, 1))
    self._mask = mask.long()
    return sum(p.numel() for p in self._network.parameters())

  def _laid_out(self, x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=self._layouts.get(x.ndim, torch.contiguous_format))

  def forward(self) -> None:
    """See `worker.Implementation`."""
    with torch.inference_mode():
      self._run(self._video)

  def logits(self) -> np.ndarray:
    """See `worker.Implementation`."""
    with torch.inference_mode():
      return self._run(self._video).movedim(1, -1).numpy()

  def step(self) -> float:
    """See `worker.Implementation`."""
    self._optimizer.zero_grad(set_to_none=True)
    loss = torch_network.loss(self._run(self._video), self._mask)
    loss.backward()
    self._optimizer.step()
    return loss.item()


def _copy(ours: dict[str, np.ndarray], network: torch.nn.Module) -> None:
  """Copies our parameters, all of them: a name that is left over, or missing, raises."""
  state = {}
  for name, array in ours.items():
    module, leaf = name.rsplit('.', 1)
    if leaf == 'kernel':  # [..., C, F] to [F, C, ...]
      array = np.moveaxis(array, (-1, -2), (0, 1))
    state[f'{module}.{"bias" if leaf == "bias" else "weight"}'] = torch.from_numpy(np.ascontiguousarray(array))
  network.load_state_dict(state, strict=True)


if __name__ == '__main__':
  worker.serve(lambda options: Torch(len(options['cores']), options['variant']))
