"""How many frames a slice must be annotated, alone and with `data.carry`? The grid of `recipe.py` with these variants.

    tfds build data_builders/mvm_cmr --config=phantom_mini --data_dir=data
    python -m ear_jax.ablation --config configs/few_contours.py --workdir runs/few_contours

Cost: about three minutes a job on an idle core, 14 jobs (not run by us as a whole). What came out of those that were:
`docs/results.md`.
"""

from configs import recipe


def get_config():
  """Returns the configuration of the grid; the cines have 16 frames."""
  config = recipe.get_config()
  few = {4: 'four frames', 8: 'two frames', 16: 'one frame'}
  config.variants = (
    ('all frames', {}),
    *((f'{name} annotated', {'data': {'annotated_every': n}}) for n, name in few.items()),
    *((f'carried from {name}', {'data': {'annotated_every': n, 'carry': True}}) for n, name in few.items()),
  )
  return config
