"""The picture of one frame: agreement of two masks in colour on the grey magnitude.

Arrays in, arrays out; layout, text and files are in `figures`. The colours are those of Figure 4 of the paper (blue
where both agree, yellow where only the prediction has muscle, red where only the reference has). Their shades are
chosen so that the luminance falls from yellow over blue to red, and a print without colour still tells them apart.
"""

import numpy as np
from scipy import ndimage

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = (0.25, 0.56, 1.0), (1.0, 0.92, 0.20), (0.85, 0.05, 0.10)
TEXTURE = 0.35  # share of a tinted pixel that follows the magnitude
LEGEND = {
  'true positive: in both': TRUE_POSITIVE,
  'false positive: prediction only': FALSE_POSITIVE,
  'false negative: reference only': FALSE_NEGATIVE,
}


def grey(magnitude: np.ndarray) -> np.ndarray:
  """Returns `magnitude` scaled to [0, 1] between its 1st and 99.5th percentile; all 0 if it is constant.

  The tails are cut because a few bright pixels of fat would leave the muscle black.

  Args:
    magnitude: `[H, W]` or `[T, H, W]`, finite, any unit; frames given together keep their relative brightness.
  """
  magnitude = np.asarray(magnitude, float)
  low, high = np.percentile(magnitude, (1, 99.5))
  if high <= low:
    return np.zeros_like(magnitude)
  return np.clip((magnitude - low) / (high - low), 0, 1)


def overlay_image(grey_image: np.ndarray, prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
  """Returns the grey picture with true positive, false positive and false negative pixels tinted.

  A tinted pixel is `colour * (1 - TEXTURE + TEXTURE * grey)`. Unlike a blend with grey this keeps the hue on black
  blood and on bright muscle, and keeps the three ranges of luminance apart.

  Args:
    grey_image: `[H, W]` float in [0, 1].
    prediction: `[H, W]` in {0, 1}.
    reference: `[H, W]` in {0, 1}.

  Returns:
    `[H, W, 3]` float RGB in [0, 1].

  Raises:
    ValueError: the shapes differ.
  """
  prediction, reference = np.asarray(prediction, bool), np.asarray(reference, bool)
  if not grey_image.shape == prediction.shape == reference.shape:
    raise ValueError(f'picture {grey_image.shape}, prediction {prediction.shape}, reference {reference.shape} differ')
  image = np.repeat(grey_image[..., None], 3, axis=-1)  # [H, W, 3]
  for where, colour in (
    (prediction & reference, TRUE_POSITIVE),
    (prediction & ~reference, FALSE_POSITIVE),
    (~prediction & reference, FALSE_NEGATIVE),
  ):
    image[where] = np.asarray(colour) * (1 - TEXTURE + TEXTURE * image[where])
  return image


def heart_window(masks: np.ndarray, margin: float = 0.35) -> tuple[slice, slice]:
  """Returns the square window around all pixels of `masks`, moved and cut to stay inside the picture.

  Args:
    masks: `[..., H, W]` in {0, 1}; the window serves all of them, so that a heart does not jump between frames.
    margin: width of the surroundings on each side, as a share of the extent of the masks.

  Returns:
    Slices of row and column; the whole picture when every mask is empty.
  """
  height, width = masks.shape[-2:]
  shade = np.asarray(masks, bool).reshape(-1, height, width).any(0)
  box = ndimage.find_objects(shade.astype(np.uint8), 1)[0]
  if not box:
    return slice(0, height), slice(0, width)
  side = int(np.ceil(max(s.stop - s.start for s in box) * (1 + 2 * margin)))
  sizes = min(side, height), min(side, width)
  top, left = (
    int(np.clip((s.start + s.stop - size) // 2, 0, length - size))
    for s, size, length in zip(box, sizes, shade.shape, strict=True)
  )
  return slice(top, top + sizes[0]), slice(left, left + sizes[1])
