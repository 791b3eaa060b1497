"""The square window at the centre of the picture that the network sees, and the way back to the whole slice."""

from collections.abc import Sequence

import numpy as np


def central_window(
  array: np.ndarray, size: int, offset: Sequence[int] | np.ndarray = (0, 0), *, edge: bool = False
) -> np.ndarray:
  """Returns the `size` x `size` window at the centre of `[T, H, W, ...]`, moved by `offset` (rows, columns).

  Beyond the picture it repeats the border pixels (`edge`, for pictures) or holds zeros (for masks).
  """
  starts = [int(np.floor((n - size) / 2 + 0.5)) + int(o) for n, o in zip(array.shape[1:3], offset, strict=True)]
  if all(0 <= start <= n - size for start, n in zip(starts, array.shape[1:3], strict=True)):
    return np.array(array[:, starts[0] : starts[0] + size, starts[1] : starts[1] + size])
  wanted = [np.arange(start, start + size) for start in starts]
  rows, columns = (np.clip(w, 0, n - 1) for w, n in zip(wanted, array.shape[1:3], strict=True))
  window = array[:, rows][:, :, columns]
  if edge:
    return window
  inside = (rows == wanted[0])[:, None] & (columns == wanted[1])[None]
  return window * inside.reshape(1, size, size, *(1,) * (array.ndim - 3)).astype(array.dtype)


def paste_window(window: np.ndarray, height: int, width: int) -> np.ndarray:
  """Returns `[T, height, width]`, zero but for the central window `[T, size, size]`: `central_window` undone."""
  frames, size = window.shape[:2]
  whole = np.zeros((frames, height, width), window.dtype)
  (r0, wr0, nr), (c0, wc0, nc) = (_overlap(n, size) for n in (height, width))
  whole[:, r0 : r0 + nr, c0 : c0 + nc] = window[:, wr0 : wr0 + nr, wc0 : wc0 + nc]
  return whole


def beyond_picture(sizes: Sequence[tuple[int, int]], size: int, unit: int = 1) -> tuple[int, int, float]:
  """Returns of how many pictures a smaller window would hold all, how large one that holds them all must be, the waste.

  Args:
    sizes: rows and columns of each picture.
    size: of the window.   unit: its size is divisible by it, as is the answer's.

  The waste is how many times the pixels of that smaller window this one has; 1 where it is no larger.
  """
  holds = [-(-max(rows, columns) // unit) * unit for rows, columns in sizes]
  return sum(enough < size for enough in holds), max(holds), max(1.0, (size / max(holds)) ** 2)


def _overlap(n, size):
  start = int(np.floor((n - size) / 2 + 0.5))
  first = max(start, 0)
  return first, first - start, min(start + size, n) - first
