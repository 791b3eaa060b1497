"""How a number stands on the page."""

import math
from decimal import ROUND_HALF_UP, Decimal


def rounded(value: float, digits: int) -> str:
  """Returns the number as the page writes it: halves go away from zero, from Python as from JavaScript."""
  return '\N{EN DASH}' if math.isnan(value) else str(Decimal(value).quantize(Decimal(10) ** -digits, ROUND_HALF_UP))
