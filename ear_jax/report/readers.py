"""The page on which two readers are compared: how alike their contours are, and what that does to curves and volumes.

It gathers what an evaluation wrote into its folder, in the order in which one asks; the pictures are in the page.
"""

import base64
import json
import pathlib
from collections.abc import Mapping

from PIL import Image

from ear_jax.report import agreement_tables, page, tables, volume_agreement
from ear_jax.report.comparison_sections import Picture, Section
from ear_jax.system.files import write_text

NAME = 'readers.html'
_WIDTH = 1000  # pixels of a picture at most
_WHO = 'In tables and pictures the first reader is the reference, and the second the prediction.'


def write_readers(output: pathlib.Path, content: Mapping) -> None:
  """Writes `readers.html` into the folder of an evaluation whose `metrics.json` holds `content`."""
  curves, notes = output / 'agreement.json', list(content['notes'])
  shown = [('dice_against_frame.png', 'Dice of both readers against the frame'), ('result.png', 'contours of both')]
  parts = [Section('Contours', [_WHO], _pictures(output, *shown), tables.text_tables(content))]
  if curves.exists():
    curves_of_reader = json.loads(curves.read_text())
    shown = [(f'bland_altman{end}.png', f'Bland-Altman: {what}') for end, what in (('', 'peaks'), ('_time', 'times'))]
    parts.append(
      Section('Velocity curves', [], _pictures(output, *shown), agreement_tables.text_tables(curves_of_reader))
    )
    notes += curves_of_reader['notes']
  if content.get('volumes', {}).get('quantities'):
    shown = [(volume_agreement.FILES[2], 'Bland-Altman: volumes')]
    table = volume_agreement.text_table(content['volumes'])
    parts.append(Section('Volumes', [], _pictures(output, *shown), [table]))
    notes += content['volumes']['notes']
  style = page.read('page.css')
  policy = f"default-src 'none'; img-src data:; style-src {page.digest(style)}"
  subjects = len(content['manifest']['subjects'])
  given = {'parts': parts, 'notes': notes, 'subjects': subjects, 'statement': page.STATEMENT}
  template = page.environment().get_template('readers.html.jinja')
  write_text(output / NAME, template.render(**given, style=style, policy=policy))


def _pictures(output: pathlib.Path, *names: tuple[str, str]) -> list[Picture]:
  pictures = []
  for name, alternative in names:
    path = output / name
    if path.exists():
      with Image.open(path) as image:
        width, height = image.size
      share = min(1.0, _WIDTH / width)
      uri = f'data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}'
      pictures.append(Picture(alternative, uri, round(width * share), round(height * share)))
  return pictures
