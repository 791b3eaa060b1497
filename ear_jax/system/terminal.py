"""Where progress is shown."""

from rich.console import Console


def progress_console() -> Console:
  """Returns standard error as a console: what a command gives stays alone on standard output.

  In a notebook it is plain text too: rich's bars want ipywidgets there, and warn at every refresh without them.
  """
  return Console(stderr=True, force_jupyter=False)
