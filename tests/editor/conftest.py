"""A phantom study on disk, the truth about it, and a delineation with planted faults."""

from types import SimpleNamespace

import pytest
from editing import NETWORK, exact, planted

from ear_jax.analysis.origin import all_of
from ear_jax.editor.follow import Base
from ear_jax.phantom import study
from ear_jax.workflows.make_phantom import make_phantom


@pytest.fixture(scope='session')
def phantom(tmp_path_factory):
  """`folder`; and slice by slice `cines`, `truths` and `bases` with planted faults."""
  folder = tmp_path_factory.mktemp('editor') / 'scan'
  make_phantom(folder, size='mini')
  plans = study.first_visit(study.SIZES['mini'], seed=0, subject=1)
  cines, truths = [study.render(plan) for plan in plans], [exact(study.truth(plan)) for plan in plans]
  bases = [
    Base(all_of(planted(one, cine.spacing), 'network', [NETWORK]), made='planted')
    for one, cine in zip(truths, cines, strict=True)
  ]
  return SimpleNamespace(folder=folder, cines=cines, truths=truths, bases=bases)
