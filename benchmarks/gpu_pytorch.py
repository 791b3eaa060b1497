"""PyTorch's step and forward pass: a stage of `benchmarks.gpu`, of one line where PyTorch is not installed."""

import importlib.util
import statistics
import time

from benchmarks.gpu_run import Run


def measure(run: Run) -> None:
  """PyTorch's step and forward pass, eager, bfloat16 by autocast, in both memory layouts; nothing without it."""
  if importlib.util.find_spec('torch') is None:
    run.write(what='PyTorch is not installed here')
    return
  import torch

  from benchmarks import torch_network

  device = 'cpu' if run.toy else 'cuda'
  torch.backends.cudnn.benchmark = True
  torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
  for name in ('ear3d', 'unet3d'):
    for layout in (torch.contiguous_format, torch.channels_last_3d):
      try:
        _torch_network(run, torch, torch_network, name, layout, device)
      except Exception as fault:
        run.failed(f'PyTorch {name} {layout}', fault)


def _torch_network(run, torch, torch_network, name, layout, device) -> None:
  network = torch_network.UNet3D(4, 2, run.filters, ear=name == 'ear3d').to(device)
  for parameter in network.parameters():
    if parameter.ndim == 5:
      parameter.data = parameter.data.contiguous(memory_format=layout)
  optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=device == 'cuda')
  b, t, h, w = run.shape
  video = torch.randn(b, 4, t, h, w, device=device).contiguous(memory_format=layout)
  mask = torch.randint(0, 2, (b, t, h, w), device=device)

  def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16):
      loss = torch_network.loss(network(video).float(), mask)
    loss.backward()
    optimizer.step()
    return loss

  def forward():
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
      return network(video).sum()

  for which, call in (('step', step), ('forward', forward)):
    float(call())
    float(call())
    found = []
    for _ in range(2 if run.toy else 10):
      start = time.perf_counter()
      float(call())
      found.append((time.perf_counter() - start) * 1e3)
    run.write(what='PyTorch', program=f'PyTorch {name} {layout} {which}', ms=statistics.median(found))
  peak = torch.cuda.max_memory_allocated() / 1e9 if device == 'cuda' else None
  run.write(what='memory', program=f'PyTorch {name} {layout}', peak_gb_of_process=peak)
