"""Enhanced (multi-frame) MR: each frame as the plain header that a file of its own would have.

A multi-frame file keeps what differs between frames, and what does not, in nested sequences (PS3.3 C.7.6.16, the
functional groups). Their elements are laid over the header of the file, those of the frame last, so that one reader
understands classic and enhanced pictures alike.
"""

from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

CLASSES = ('1.2.840.10008.5.1.4.1.1.4.1', '1.2.840.10008.5.1.4.1.1.4.4')  # enhanced MR, legacy converted enhanced MR
SHARED, PER_FRAME = Tag('SharedFunctionalGroupsSequence'), Tag('PerFrameFunctionalGroupsSequence')
_OF_THE_FILE = ('NumberOfFrames', 'InstanceNumber')
_LAID_OVER = (  # groups of one item each, whose elements are of the kind that a classic header has at its top
  *('PlanePositionSequence', 'PlaneOrientationSequence', 'PixelMeasuresSequence', 'CardiacSynchronizationSequence'),
  *('FrameContentSequence', 'MRImageFrameTypeSequence', 'PixelValueTransformationSequence', 'MRFOVGeometrySequence'),
  *('TemporalPositionSequence', 'UnassignedSharedConvertedAttributesSequence'),
  'UnassignedPerFrameConvertedAttributesSequence',
)
_PRIVATE = (0x0021, 0x2001, 0x2005)  # groups in which Siemens and Philips keep a header of their own for each frame


def headers(image: Dataset) -> Iterator[Dataset]:
  """Yields one flat header a frame of an enhanced file, without the functional groups themselves.

  Raises: ValueError when the file has no functional groups, or not one item a frame.
  """
  shared, frames = image.get(SHARED), image.get(PER_FRAME)
  declared = image.get('NumberOfFrames')
  items = list(frames.value) if frames else []
  if not items:
    raise ValueError('it is enhanced MR without the functional groups of its frames')
  if len(items) != int(declared or len(items)):
    raise ValueError(f'the header declares {int(declared or 0)} frames and describes {len(items)}')
  common = Dataset()
  common.update({e.tag: e for e in image if e.tag not in (SHARED, PER_FRAME, *map(Tag, _OF_THE_FILE))})
  before = (int(image.get('InstanceNumber') or 1) - 1) * len(items)
  for item in shared.value if shared else ():
    _lay(common, item)
  for number, item in enumerate(items):
    flat = Dataset()
    flat.update(common)
    _lay(flat, item)
    flat.InstanceNumber = before + number + 1
    yield flat


def _lay(flat: Dataset, item: Dataset) -> None:
  """Lays the elements of one functional group item over a header."""
  for element in item:
    nested = element.value if element.VR == 'SQ' else ()
    if element.tag.is_private:
      for inner in nested:
        _add_private(flat, inner)
    else:
      flat[element.tag] = element
      if keyword_for_tag(element.tag) in _LAID_OVER:
        for inner in nested:
          flat.update(inner)
          _add_private(flat, inner)


def _add_private(flat: Dataset, inner: Dataset) -> None:
  # What lies there under public tags is the classic header, whose position is that of another corner (Philips).
  flat.update({element.tag: element for element in inner if _is_vendors(element.tag)})


def _is_vendors(tag: BaseTag) -> bool:
  return tag.is_private and tag.group in _PRIVATE
