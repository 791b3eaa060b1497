"""What is shown while a network trains fits a terminal of 80 columns."""

import io

import pytest
from rich.console import Console

from ear_jax.training.log import in_words, progress_bar

FIGURES = {
  'loss': 0.76123,
  'dice': 0.623,
  'grad_norm': 3.0,
  'learning_rate': 1e-3,
  'seconds_per_step': 0.5065,
  'wait_share': 0.02,
  'validation_dice': 0.8771,
}


def _shown(width):
  """The bar as a terminal of some columns shows it."""
  console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
  bar = progress_bar(console)
  bar.update(bar.add_task('', total=10_000, completed=5_000), description=in_words(FIGURES))
  console.print(bar.get_renderable())
  return console.file.getvalue()


def test_eighty_columns_hold_bar_count_time_left_loss_and_rate():  # case T6
  shown = _shown(80)
  assert shown.count('\n') == 1
  assert '━' in shown
  for part in ('5000/10000', '-:--:-- left', 'loss 0.7612', '0.506 s/step', 'rate 0.001'):
    assert part in shown


@pytest.mark.parametrize('width', [50, 60, 200])
def test_a_narrow_terminal_costs_the_last_figures_alone(width):
  shown = _shown(width)
  assert '5000/10000' in shown
  assert 'left' in shown
  assert ('wait 2%' in shown) == (width == 200)
