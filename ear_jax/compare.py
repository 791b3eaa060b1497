"""Compares analysed studies: `python -m ear_jax.compare RESULTS --output REPORT`; RESULTS is what `predict` wrote.

Without more it writes one table over all studies with the quality gate's verdicts. `--groups` compares two groups of
people, `--normal` each study with an own normal group, `--visits` a person's visits with the repeatability of the
measurement (`docs/compare.md`). Studies that the gate failed are left out and named.
"""

import pathlib
from types import SimpleNamespace

from absl import flags
from rich.console import Console

from ear_jax.system import cli
from ear_jax.system.errors import UsageError


def main() -> None:
  """Reads the command line, compares and says what was found."""
  cli.run(
    _compare,
    *cli.shared('output'),
    flags.DEFINE_string('groups', None, 'csv file with the columns study and group, and person where one has several.'),
    flags.DEFINE_string('visits', None, 'csv file with the columns study, person and visit, in the order of time.'),
    flags.DEFINE_string('normal', None, 'Folder with results of an own normal group.'),
    flags.DEFINE_string('repeatability', None, 'repeatability.csv of people who were measured twice; for --visits.'),
    flags.DEFINE_string('bands', None, 'csv file with own bands of peaks, shown beside (docs/compare.md).'),
    flags.DEFINE_bool('published', True, 'Show published values beside peaks of groups.'),
    flags.DEFINE_enum(
      'align',
      'rr',
      ['rr', 'es'],
      'Curves by parts of the RR interval, or with the marker ES at 35 %.',
      case_sensitive=False,
    ),
    flags.DEFINE_list('levels', None, 'base, mid, apex: which are compared; else all that every study has.'),
    flags.DEFINE_list('components', None, 'longitudinal, radial, circumferential: which are compared; else all.'),
    flags.DEFINE_list('regions', None, 'sectors, layers: compared beside the whole wall; fewer find more.'),
    flags.DEFINE_bool('strain', False, 'Compare radial, circumferential and longitudinal strain, too.'),
    flags.DEFINE_list(
      'families',
      None,
      'curves, velocities, times, strains: of what differences of groups are claimed; curves and velocities, and '
      'strains with --strain.',
    ),
    flags.DEFINE_bool('failed', False, 'Take studies, too, whose quality gate failed.'),
    flags.DEFINE_integer('permutations', 10_000, 'Labellings of the test of curves.', lower_bound=100),
    flags.DEFINE_integer('seed', 0, 'Of the labellings.'),
    words=1,  # RESULTS
  )


def _compare(given: SimpleNamespace) -> None:
  from ear_jax.analysis.motion import COMPONENTS
  from ear_jax.report.compared import Choice
  from ear_jax.report.comparison import sentences
  from ear_jax.workflows.compare import compare

  if len(given.words) != 1 or not given.output:
    raise UsageError('give one RESULTS (the --output of ear_jax.predict) and --output (a folder for the comparison)')
  choices = {
    'levels': ('base', 'mid', 'apex'),
    'components': COMPONENTS,
    'families': ('curves', 'velocities', 'times', 'strains'),
    'regions': ('sectors', 'layers'),
  }
  chosen = {name: words and [word.lower() for word in words] for name in choices for words in [getattr(given, name)]}
  for name, known in choices.items():
    words = chosen[name]
    if words is not None and (not words or set(words) - set(known)):
      raise UsageError(f'--{name}={",".join(words)}: expected some of {", ".join(known)}')
  choice = Choice(
    align=given.align,
    levels=tuple(chosen['levels'] or ()),
    components=tuple(chosen['components'] or COMPONENTS),
    failed=given.failed,
    regions=tuple(chosen['regions'] or ()),
    strain=given.strain,
    families=tuple(chosen['families'] or ('curves', 'velocities', *['strains'] * given.strain)),
    published=given.published,
    permutations=given.permutations,
    seed=given.seed,
  )
  output = pathlib.Path(given.output).expanduser()
  names = ('groups', 'visits', 'normal', 'repeatability', 'bands')
  files = {name: pathlib.Path(path).expanduser() for name in names if (path := getattr(given, name))}
  compared = compare(pathlib.Path(given.words[0]).expanduser(), output, **files, choice=choice)
  console = Console()
  for sentence in sentences(compared):
    console.print(sentence, markup=False, soft_wrap=True)
  for note in compared['notes']:
    console.print(f'  {note}', markup=False, soft_wrap=True)
  console.print(f'  {output / "comparison.html"}', markup=False, soft_wrap=True)


if __name__ == '__main__':
  main()
