"""Where the stages of `benchmarks.gpu` write, and the size of what they measure."""

import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Run:
  """Where a stage writes, and the size of what it measures."""

  stage: str
  output: str
  toy: bool

  @property
  def shape(self) -> tuple[int, int, int, int]:
    """B, T, H, W."""
    return (2, 4, 32, 32) if self.toy else (2, 50, 128, 128)

  @property
  def filters(self) -> tuple[int, ...]:
    """Channels of each level."""
    return (4, 8) if self.toy else (16, 32, 64, 128)

  def write(self, **figures) -> None:
    """Appends a line."""
    with open(self.output, 'a') as file:
      file.write(json.dumps({'stage': self.stage, **figures}) + '\n')

  def failed(self, what: str, fault: BaseException) -> None:
    """Appends a failure with its sentence."""
    self.write(what=what, failed=f'{type(fault).__name__}: {fault}'[:600])
