"""A hook of MkDocs: the page of the fields of a configuration, from the source that `train --fields` prints."""

import pathlib
import sys

from mkdocs.structure.files import File

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from ear_jax.config.described import markdown


def on_files(files, config):
  """Adds `fields.md`, which no file of docs/ holds."""
  files.append(File.generated(config, 'fields.md', content=markdown()))
  return files
