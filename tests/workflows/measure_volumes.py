"""Ejection fraction, volumes and mass of Sunnybrook patients whom networks have not seen, against those of the expert.

    PYTHONPATH=. python tests/workflows/measure_volumes.py FRAMES OUTPUT RUN...

FRAMES is the layout `frames` of the data (its end-systolic frames, too, which no data set has: the endocardium alone),
each RUN a fold, whose validation patients are delineated as `predict` does it, frame by frame; `NETWORK,RUN` for both
together. The pixel size is lost: 1.3 mm is stated. Figures: `docs/results.md`. It takes some minutes.
"""

import pathlib
import sys

import numpy as np
import pandas as pd
from PIL import Image

from ear_jax.analysis.contours import from_mask, polygon_area
from ear_jax.cine import UNKNOWN, Cine
from ear_jax.formats.sunnybrook import subject_id
from ear_jax.networks.load import load_network
from ear_jax.networks.recognise import recognise
from ear_jax.networks.segment import segment
from ear_jax.report.volume_agreement import text_table, write_volume_agreement
from ear_jax.scoring.volume_agreement import agree
from ear_jax.system.table import markdown

STATED = 1.3  # mm, about what the patients have
PHASES = 20  # of a cycle: picture n is phase (n - 1) % 20 of slice (n - 1) // 20


def frames(root, subjects):
  """Yields (cine of one frame, endocardial and epicardial area in pixels; NaN without) of some patients."""
  for path in sorted((root / 'images').glob('*.png')):
    patient, number = path.stem.rsplit('-IM-0001-', 1)
    if subject_id(patient) not in subjects:
      continue
    video = np.asarray(Image.open(path), np.float32)[None, :, :, None]
    cine = Cine(
      video, np.zeros(video.shape[:3], np.uint8), np.zeros(1, bool), None, (STATED, STATED), UNKNOWN,
      subject_id(patient), subject_id(patient), number,
    )  # fmt: skip
    sides = [root / kind / path.name for kind in ('endo', 'epi')]
    areas = [float((np.asarray(Image.open(p)) > 0).sum()) if p.exists() else np.nan for p in sides]
    yield cine, areas


def measure(root, names):
  """Returns the areas of the patients that a fold, the last of some networks, held out, as `frame_areas` has them."""
  networks, lines = [load_network(name) for name in names.split(',')], []
  for subject in networks[-1].split.validation:
    cines, areas = zip(*frames(root, {subject}), strict=True)
    axes, _ = recognise(cines.__getitem__, len(cines), networks[-1])
    for cine, (endo, epi) in zip(cines, areas, strict=True):
      found, number = from_mask(segment(cine, networks, axes=axes).probability), int(cine.slice_id) - 1
      line = {'subject': cine.subject, 'dataset': cine.dataset, 'slice_id': f'{number // PHASES:02d}'}
      line |= {'frame': number % PHASES, 'endo_reference': endo, 'epi_reference': epi}
      line |= {f'{side}_predicted': polygon_area(getattr(found, side))[0] for side in ('endo', 'epi')}
      lines.append(line)
  return pd.DataFrame(lines)


def main():
  root, output, runs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
  output.mkdir(parents=True, exist_ok=True)
  areas = pd.concat([measure(root, run) for run in runs], ignore_index=True)
  areas.to_csv(output / 'areas.csv', index=False)
  table = agree(areas)
  for name, chosen in (('all', table), ('whole', table[table['left_out'] == 0])):
    (output / name).mkdir(exist_ok=True)
    found = write_volume_agreement(output / name, chosen)
    print(f'\n{name}: {len(chosen)} patients\n{markdown(text_table(found))}', *found['notes'], sep='\n')


if __name__ == '__main__':
  main()
