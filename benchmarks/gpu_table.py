"""The results of `benchmarks.gpu` as Markdown."""

import json


def table(path: str) -> str:
  """Returns the figures of a file of results as Markdown, a line a program."""
  rows: dict[tuple[str, str], dict] = {}
  with open(path) as file:
    for line in map(json.loads, file):
      if 'program' in line:
        compile_s = {'compile_s': line['seconds']} if line['what'] == 'compiled' else {}
        rows.setdefault((line['stage'], line['program']), {}).update(line | compile_s)
  columns = {'ms': 'ms', 'TFLOP/s': 'tflops', 'kernels, ms': 'kernels_ms', 'conversions, ms': 'conversions_ms'}
  columns |= {'launches': 'launches', 'compile, s': 'compile_s', 'first step, s': 'seconds_to_first_step', 'GB': 'gb'}
  text = f'| stage | program | {" | ".join(columns)} |\n' + '|---' * (len(columns) + 2) + '|\n'
  for (stage, program), row in rows.items():
    cells = [f'{row[key]:.4g}' if row.get(key) is not None else '' for key in columns.values()]
    text += f'| {stage} | {program} | {" | ".join(cells)} |\n'
  return text
