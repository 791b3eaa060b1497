"""The one exception that means "the user can mend this": entry points print it as a sentence, without a traceback."""


class UserError(ValueError):
  """A fault in a command, a configuration or the data; its text says what is wrong, where, and what to do."""
