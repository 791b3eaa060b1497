"""The ConvLSTM with one gradient by the kernel for all frames, instead of one a frame that are added up."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from ear_jax.models.conv import conv3d
from ear_jax.models.recurrence import _advance


def one_kernel_gradient(variables, x, convolve):
  """Returns what `ConvLSTM.apply(variables, x)` returns, forward in time and from a state of zeros.

  Args:
    convolve: the 2-D convolution of the state `[B, H, W, F]` with `[3, 3, F, 4F]`.
  """
  params = jax.tree.map(lambda p: p.astype(x.dtype), variables['params'])
  gates = conv3d(x, params['input']['kernel'], 'zero', params['input']['bias'])
  hidden = _recur(gates.swapaxes(0, 1), params['hidden']['kernel'], convolve)
  return hidden.swapaxes(0, 1).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _recur(gates, kernel, convolve):
  """Returns the states h `[T, B, H, W, F]` from what the input gives to the gates, `[T, B, H, W, 4F]`."""
  return _forward(gates, kernel, convolve)[0]


def _forward(gates, kernel, convolve):
  def step(carry, gate):
    c, h = carry
    total = gate + convolve(h.astype(kernel.dtype), kernel)
    (c_next, h_next), _ = _advance(c, total)
    return (c_next, h_next), (h_next, total, c, h.astype(kernel.dtype))

  zeros = jnp.zeros((*gates.shape[1:-1], gates.shape[-1] // 4), jnp.float32)
  _, (hidden, *kept) = jax.lax.scan(step, (zeros, zeros), gates)
  return hidden, (kept, kernel)


def _backward(convolve, residuals, d_hidden):
  (totals, cells, before), kernel = residuals
  turned = kernel[::-1, ::-1].swapaxes(-1, -2)  # the gradient by the input is a convolution with this one

  def step(carry, kept):
    dc, dh = carry
    d_out, total, c = kept
    _, pull = jax.vjp(_advance, c, total)
    dc, d_total = pull(((dc, dh + d_out), jnp.zeros_like(d_out)))
    return (dc, convolve(d_total, turned).astype(jnp.float32)), d_total

  zeros = jnp.zeros_like(cells[0])
  _, d_totals = jax.lax.scan(step, (zeros, zeros), (d_hidden, totals, cells), reverse=True)
  frames = lambda y: y.reshape(-1, *y.shape[2:])  # noqa: E731
  names = ('NHWC', 'HWIO', 'NHWC')
  of_kernel = lambda k: jax.lax.conv_general_dilated(frames(before), k, (1, 1), 'SAME', dimension_numbers=names)  # noqa: E731
  return d_totals, jax.vjp(of_kernel, kernel)[1](frames(d_totals))[0]


_recur.defvjp(_forward, _backward)
