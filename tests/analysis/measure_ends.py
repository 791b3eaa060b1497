"""Where stacks end by `analysis.ends`, against what is so: `python tests/analysis/measure_ends.py [SUNNYBROOK/frames]`.

The limits of `ends` were held against these stacks of the twelve people of `phantom_mini`, after three real ones had
been seen (docs/results.md). Prints how the cavity changes where there is a ventricle and where not, how long it is
gone, and how many stacks and planted faults are told rightly.
"""

import pathlib
import sys

import numpy as np
from scipy import ndimage
from stacks import about, beside_neighbours, beside_sunnybrook, expected, motions, opened, planned

from ear_jax.analysis import ends
from ear_jax.analysis.checks_of_study import EXPECTED


def told(found, towards=1):
  """Returns the ends of motions, None where their expectations fail."""
  seen = [expected(one) for one in found]
  return ends.find_ends(found, seen, [one.dice >= EXPECTED['frame'][1] for one in seen], towards)[0]


def faults(plan, rng):
  """Yields name, masks and the slice that went wrong: it must not be told to be anatomy."""
  below = np.flatnonzero(plan.whole.all(1))
  frames, masks = plan.masks.shape[1], plan.masks
  for name, k, lost in (
    ('a middle slice open round end systole', int(rng.choice(below[1:-1])), about(plan.es, 2, frames)),
    ('the slice below the base open round end systole', int(below[1]), about(plan.es, 2, frames)),
    ('the basal slice open round end diastole', int(below[0]), about(plan.ed, 2, frames)),
    ('the basal slice open in scattered frames', int(below[0]), np.arange(frames) % 4 < 2),
    ('the basal slice open in most frames', int(below[0]), ~about(plan.ed, 2, frames)),
    ('the apical slice open round end systole', int(below[-1]), about(plan.es, 2, frames)),
  ):
    changed = masks.copy()
    changed[k] = opened(masks[k], lost, rng)
    yield name, changed[below[0] :] if k == below[1] else changed, k - (below[0] if k == below[1] else 0)


def main() -> None:
  """Prints what was measured."""
  ventricle, atrium, gone, right, missed, off = [], [], [], [], {}, []
  for person in range(1, 13):
    rng = np.random.default_rng(person)
    plan = planned(person, rng, first=-float(rng.uniform(6, 22)))
    found = motions(plan.masks)
    seen = [expected(one) for one in found]
    holds = [one.dice >= EXPECTED['frame'][1] for one in seen]
    filled = [ndimage.binary_fill_holes(mask[plan.ed]) for mask in plan.masks]
    off += beside_neighbours({k: filled[k] for k in np.flatnonzero(plan.whole.all(1))})
    stack = ends._Stack(found, seen, holds, ends._beat(found, holds))
    for k, one in enumerate(found):
      (atrium if plan.above[k] else ventricle).append(ends._change(stack, k))
      if 0 < one.contours.failed.mean() < 1 and plan.whole[k].any():
        gone.append(one.contours.failed.mean())
    ended = told(found)
    true = [k for k, one in enumerate(found) if plan.above[k] or one.contours.failed.any()]
    right.append((sorted(ended) == true, sorted(ended), true, [float(one.contours.failed.mean()) for one in found]))
    for name, masks, k in faults(plan, rng):
      missed.setdefault(name, []).append(k not in told(motions(masks)))
  for name, values in (('ventricle', ventricle), ('atrium', atrium)):
    print(f'{name}: cavity at end systole over that at end diastole {np.nanmin(values):.2f} to {np.nanmax(values):.2f}')
  print(f'planes that the base crosses: no ring in {min(gone):.2f} to {max(gone):.2f} of the cycle')
  for name, values in (
    ('phantoms', off),
    *(('Sunnybrook', beside_sunnybrook(pathlib.Path(one))) for one in sys.argv[1:]),
  ):
    print(f'{name}: true rings lie up to {max(values):.2f} of the largest radius beside others ({len(values)} cases)')
  print(f'ends told as they are: {sum(one[0] for one in right)} of {len(right)}')
  print(*[one for one in right if not one[0]], sep='\n')
  for name, values in missed.items():
    print(f'{name}: still lost in {sum(values)} of {len(values)}')


if __name__ == '__main__':
  main()
