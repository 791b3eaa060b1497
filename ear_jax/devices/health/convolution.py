"""Whether a device computes convolutions right: ours, forward and backward, against NumPy in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from ear_jax.devices.health.finding import Finding
from ear_jax.models.conv import conv3d

# Relative to the root mean square of the exact values. A GPU multiplies float32 with TensorFloat-32's 11 bits, and
# bfloat16 results have 8 bits: about 5e-4 and 2e-3 are to be expected. A wrong kernel is off by about 1.
BOUNDS = {'float32': 2e-3, 'bfloat16': 1e-2}
_VIDEO, _KERNEL = (1, 4, 12, 12, 8), (3, 3, 3, 8, 16)


def check_convolution(device: jax.Device) -> Finding:
  """Returns whether results and both gradients of a 3 x 3 x 3 convolution on a device stay within `BOUNDS`."""
  what = f'convolution on {device.platform}:{device.id}'
  errors = {dtype: error_on(device, dtype) for dtype in BOUNDS}
  in_words = ', '.join(f'{dtype} off by {error:.1e}' for dtype, error in errors.items())
  wrong = [dtype for dtype, error in errors.items() if not error <= BOUNDS[dtype]]  # NaN is wrong
  if not wrong:
    return Finding(what, 'pass', in_words)
  other = 'float32' if wrong == ['bfloat16'] else None
  remedy = f'train with --config.model.dtype={other}, or ' if other else ''
  return Finding(what, 'fail', in_words, f'{remedy}update driver, CUDA and cuDNN (9.15 or newer)')


def error_on(device: jax.Device, dtype: str) -> float:
  """Returns the largest error of result, gradient by video and gradient by kernel, relative to its root mean square."""
  rng = np.random.default_rng(0)
  shapes = _VIDEO, _KERNEL, (*_VIDEO[:-1], _KERNEL[-1])
  # Rounded first, so that what is compared is the arithmetic and not the rounding of its input.
  video, kernel, weight = (np.asarray(jnp.asarray(rng.normal(size=s), dtype), np.float64) for s in shapes)

  @jax.jit
  def compute(video, kernel, weight):
    result, backward = jax.vjp(conv3d, video, kernel)
    return result, *backward(weight)

  placed = (jax.device_put(jnp.asarray(x, dtype), device) for x in (video, kernel, weight))
  computed = compute(*placed)
  exact = _exact(video, kernel, weight)
  return max(_relative(np.asarray(a, np.float64), b) for a, b in zip(computed, exact, strict=True))


def _relative(computed, exact) -> float:
  return float(np.sqrt(np.mean((computed - exact) ** 2) / np.mean(exact**2)))


def _exact(video, kernel, weight):
  """Returns the convolution as a sum over taps, and its two gradients."""
  padded = np.pad(video, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
  _, t, h, w, _ = video.shape
  result, by_padded, by_kernel = np.zeros(weight.shape), np.zeros(padded.shape), np.zeros(kernel.shape)
  for i, j, k in itertools.product(range(3), repeat=3):
    window = np.s_[:, i : i + t, j : j + h, k : k + w]
    result += padded[window] @ kernel[i, j, k]
    by_padded[window] += weight @ kernel[i, j, k].T
    by_kernel[i, j, k] = np.einsum('bthwc,bthwf->cf', padded[window], weight)
  return result, by_padded[:, 1:-1, 1:-1, 1:-1], by_kernel
