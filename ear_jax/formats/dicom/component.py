"""Which part of the complex signal a picture shows, by the three places where scanners say it.

'M'  magnitude        'P'  phase, or velocity made of it        'R', 'I'  real and imaginary part
'MAG', 'MSUM', 'M_PCA'    made of several magnitudes, such as the complex difference of phase contrast
'B0'  field map           '?'    two of the places contradict each other
''  the header does not say: magnitude, as a rule
"""

from collections.abc import Sequence

CONTRADICTORY = '?'
MIXTURES = ('MAG', 'MSUM', 'M_PCA')
_OF_STANDARD = {'MAGNITUDE': 'M', 'PHASE': 'P', 'REAL': 'R', 'IMAGINARY': 'I'}
_OF_IMAGE_TYPE = {
  **{word: word for word in ('M', 'P', 'R', 'I', 'B0', *MIXTURES)},
  **{'MAGNITUDE': 'M', 'PHASE': 'P', 'VELOCITY': 'P', 'PHASE MAP': 'P', 'VELOCITY MAP': 'P', 'REAL': 'R'},
  **{'IMAGINARY': 'I', 'FIELD_MAP': 'B0'},
}
_NAMES = {
  'P': 'phase pictures without the header of velocity mapping',
  'R': 'real parts of the signal',
  'I': 'imaginary parts of the signal',
  'B0': 'field maps',
  CONTRADICTORY: 'pictures that ImageType and ComplexImageComponent call by different names',
}


def component(standard: str, image_type: Sequence[str], private: str) -> str:
  """Returns the component of a picture.

  Args:
    standard: ComplexImageComponent, of enhanced pictures.
    image_type: ImageType or FrameType; Siemens and the standard say it in value 3, Philips in value 4.
    private: (2005,1011) of Philips.
  """
  components = [_OF_IMAGE_TYPE[word] for word in image_type[2:4] if word in _OF_IMAGE_TYPE]
  special = next(
    (word for word in components if word in (*MIXTURES, 'B0')), ''
  )  # the standard's word is wider than these
  if not special and {_OF_STANDARD.get(standard, word) for word in components} - {*components}:
    return CONTRADICTORY
  return special or _OF_STANDARD.get(standard, '') or _OF_IMAGE_TYPE.get(private, '') or next(iter(components), '')


def is_magnitude(word: str) -> bool:
  """Returns whether pictures of a component may be a magnitude cine."""
  return word in ('M', '')


def named(word: str) -> str:
  """Returns what pictures of a component that is no magnitude are, in words."""
  return _NAMES.get(word, f'{word} pictures, made of several magnitudes')
