"""3D-EAR: left-ventricular delineation and myocardial velocity analysis for velocity-mapping cardiac MR.

What a notebook needs, each loaded when it is first used:

  open_studies    the studies at a path, each a sequence of cines from base to apex
  phantom_study   a study of a person who does not exist, with exact masks
  make_phantom    the same as a scanner's DICOM files
  Cine, Study     one slice over one cardiac cycle; the slices of one visit
  load_network    a trained network: a run's folder, an exported file, or a name that ships with the package
  Network         what it returns; `network.segment(cine)` gives a `Delineation`
  segment         the delineation of a cine by several networks together
  Delineation     probability, uncertainty and mask of a cine
  analyse         mask to motion: contours, velocity curves, markers, rotation, displacement
  carry           contours of some frames to all frames, by velocity or pictures: a `Carried`
  Settings        conventions of the analysis
  SliceMotion     what `analyse` returns; gives itself by `to_xarray()` and `to_frame()`
  volumes         the slices of a study together: volumes, ejection fraction, mass, thickness of the wall
  Volumes         what `volumes` returns
  predict         the whole analysis of a study, as a folder of results
  compare         studies that `predict` analysed: groups, a normal group, visits, in one table and a page
  default_config  every field of a training, to be changed and given to `train`
  train           trains a network, or goes on with a run
  evaluate        scores a network on a data set
  export          a trained network as one file
  UserError       a mistake that the user can mend, in a sentence; MalformedStudy: a study that cannot be read
"""

import importlib
import sys
import types

__version__ = '0.2.0'
_WHERE = {  # module and name there
  'Carried': ('ear_jax.analysis.carrying', 'Carried'),
  'Cine': ('ear_jax.cine', 'Cine'),
  'Delineation': ('ear_jax.networks.segment', 'Delineation'),
  'MalformedStudy': ('ear_jax.formats.faults', 'MalformedStudy'),
  'Network': ('ear_jax.networks.segment', 'Network'),
  'Settings': ('ear_jax.analysis.motion', 'Settings'),
  'SliceMotion': ('ear_jax.analysis.motion', 'SliceMotion'),
  'Study': ('ear_jax.cine', 'Study'),
  'UserError': ('ear_jax.system.errors', 'UserError'),
  'Volumes': ('ear_jax.analysis.volumes', 'Volumes'),
  'analyse': ('ear_jax.analysis.slices', 'analyse'),
  'carry': ('ear_jax.analysis.carrying', 'carry'),
  'compare': ('ear_jax.workflows.compare', 'compare'),
  'default_config': ('ear_jax.config.fields', 'default_config'),
  'evaluate': ('ear_jax.workflows.evaluate', 'evaluate'),
  'export': ('ear_jax.networks.export', 'export'),
  'load_network': ('ear_jax.networks.load', 'load_network'),
  'make_phantom': ('ear_jax.workflows.make_phantom', 'make_phantom'),
  'open_studies': ('ear_jax.formats.open', 'open_studies'),
  'phantom_study': ('ear_jax.phantom.study', 'phantom_study'),
  'predict': ('ear_jax.workflows.predict', 'predict'),
  'segment': ('ear_jax.networks.segment', 'segment'),
  'train': ('ear_jax.workflows.train', 'train_and_evaluate'),
  'volumes': ('ear_jax.analysis.volumes', 'volumes'),
}
__all__ = ['__version__', *_WHERE]


class _Package(types.ModuleType):
  """The package: some of its functions are called as its commands are (`ear_jax.train`, `python -m ear_jax.train`)."""

  def __setattr__(self, name, value):
    # The import system binds a module to its package; the function keeps the name.
    if not (name in _WHERE and isinstance(value, types.ModuleType)):
      super().__setattr__(name, value)

  def __getattr__(self, name):
    if name not in _WHERE:
      raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    module, there = _WHERE[name]
    value = getattr(importlib.import_module(module), there)
    setattr(self, name, value)
    return value

  def __dir__(self):
    return sorted({*super().__dir__(), *_WHERE})


sys.modules[__name__].__class__ = _Package
