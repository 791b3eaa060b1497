"""Phase contrast with many frames a file: Siemens XA, and Philips with phase in cm/s or in mrad."""

import pathlib

import numpy as np
from layouts.scan import ENHANCED_MR, Exporter, Scan, in_plane, nearest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence


def siemens_xa(scan: Scan, folder: pathlib.Path, venc=(30.0, 20.0, 20.0)) -> None:
  """One file a slice and direction of VELOCITY frames, one a slice of magnitude: standard tags say the direction."""
  export, series = Exporter(scan, folder, 'Siemens Healthineers'), 0
  for index in range(len(scan.study.cines)):
    series += 1
    pictures = [_frame(scan, index, frame, 'M', 'MAGNITUDE') for frame in range(_frames(scan))]
    image = _file(export, series, ['ORIGINAL', 'PRIMARY', 'M', 'NONE'], pictures, scan.magnitude(index))
    image.ComplexImageComponent, image.PhaseContrast = 'MAGNITUDE', 'YES'
    export.save(image)
    names = ('through', *in_plane(scan))
    for name, limit in zip(names, venc, strict=True):
      series += 1
      direction = scan.normal if name == 'through' else nearest(scan, name)
      pictures = [_frame(scan, index, frame, 'VELOCITY', 'PHASE') for frame in range(_frames(scan))]
      for group in pictures:
        _rescale(group, 2, -4096, 'US')
        label = f'v{limit:.0f}_through' if name == 'through' else f'v{limit:.0f}_inplane_{name}'
        inner = Dataset()
        inner.private_block(0x0021, 'SIEMENS MR SDI 02', create=True).add_new(0x29, 'SH', label)
        group.private_block(0x0021, 'SIEMENS MR SDI 02', create=True).add_new(0xFE, 'SQ', Sequence([inner]))
      stored = np.mod(np.rint(2048 + 2048 * scan.velocity(index, direction) / limit), 4096).astype(np.uint16)
      image = _file(export, series, ['ORIGINAL', 'PRIMARY', 'VELOCITY', 'NONE'], pictures, stored)
      image.ComplexImageComponent, image.PhaseContrast = 'PHASE', 'YES'
      shared = image.SharedFunctionalGroupsSequence[0]
      shared.MRVelocityEncodingSequence = Sequence([_encoding(direction, limit)])  # the same for all frames
      export.save(image)


def philips(scan: Scan, folder: pathlib.Path, venc=(45.0, 40.0, 50.0), *, mrad: bool = False) -> None:
  """One file a direction with all slices, magnitude and complex difference and velocity frames, in no order of time.

  The rescale differs between frames; where the phase is in mrad, 1000 pi is venc. Directions are the patient's.
  """
  export = Exporter(scan, folder, 'Philips Medical Systems')
  for number, (direction, limit) in enumerate(zip(np.eye(3), venc, strict=True)):
    groups, pixels = [], []
    full = 1000 * np.pi if mrad else limit
    slope = 2 * full / 4095
    for code, (kind, component) in enumerate((('M', 'MAGNITUDE'), ('M_PCA', 'MAGNITUDE'), ('P', 'PHASE'))):
      for frame in reversed(range(_frames(scan))):
        for index in range(len(scan.study.cines)):
          group = _frame(scan, index, frame, kind, component)
          group.FrameContentSequence[0].DimensionIndexValues = [1, index + 1, frame + 1, 18 if kind == 'P' else code]
          velocity = scan.velocity(index, direction)[frame]
          if kind == 'P':
            pixels.append(np.rint((velocity / limit * full + full) / slope))
            _rescale(group, f'{slope:.12f}', f'{-full:.9f}', 'US')
            # No unit in the rescale: the real-world mapping has it.
            _real_world(group, slope, -full, 'mrad' if mrad else 'cm/s')
          else:
            pixels.append(scan.magnitude(index)[frame] if kind == 'M' else np.abs(velocity) * 20)
            _rescale(group, 1.29, 0, 'US')
            _real_world(group, 1.29, 0, '1')
          group.MRVelocityEncodingSequence = Sequence([_encoding(direction, limit)])
          groups.append(group)
    image = _file(
      export, 301 + 100 * number, ['ORIGINAL', 'PRIMARY', 'FLOW_ENCODED', 'MIXED'], groups, np.array(pixels)
    )
    image.ComplexImageComponent, image.PhaseContrast, image.AcquisitionContrast = 'MIXED', 'YES', 'FLOW_ENCODED'
    export.save(image)


def _frames(scan: Scan) -> int:
  return len(scan.study.cines[0].video)


def _frame(scan: Scan, index: int, frame: int, kind: str, component: str) -> Dataset:
  """The functional groups of one frame."""
  cine, group = scan.study.cines[index], Dataset()
  words, content, position, sync = Dataset(), Dataset(), Dataset(), Dataset()
  words.FrameType, words.ComplexImageComponent = ['ORIGINAL', 'PRIMARY', kind, 'NONE'], component
  content.StackID, content.InStackPositionNumber, content.TemporalPositionIndex = '1', index + 1, frame + 1
  position.ImagePositionPatient = [f'{v:.6f}' for v in scan.corner(index)]
  sync.NominalCardiacTriggerDelayTime = frame * cine.frame_interval
  sync.RRIntervalTimeNominal = len(cine.video) * cine.frame_interval
  group.MRImageFrameTypeSequence, group.FrameContentSequence = Sequence([words]), Sequence([content])
  group.PlanePositionSequence, group.CardiacSynchronizationSequence = Sequence([position]), Sequence([sync])
  return group


def _rescale(group: Dataset, slope, intercept, kind: str) -> None:
  item = Dataset()
  item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slope, intercept, kind
  group.PixelValueTransformationSequence = Sequence([item])


def _real_world(group: Dataset, slope: float, intercept: float, unit: str) -> None:
  item, code = Dataset(), Dataset()
  code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, 'UCUM', unit
  item.MeasurementUnitsCodeSequence, item.LUTLabel = Sequence([code]), 'x'
  item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 4095
  item.RealWorldValueSlope, item.RealWorldValueIntercept = float(slope), float(intercept)
  group.RealWorldValueMappingSequence = Sequence([item])


def _encoding(direction, limit: float) -> Dataset:
  item = Dataset()
  item.VelocityEncodingDirection = [float(v) for v in direction]
  item.VelocityEncodingMinimumValue, item.VelocityEncodingMaximumValue = -limit, limit
  return item


def _file(export: Exporter, series: int, words: list[str], groups: list[Dataset], pixels: np.ndarray) -> Dataset:
  scan = export.scan
  image = export.header(ENHANCED_MR, series, 1)
  shared, plane, measures = Dataset(), Dataset(), Dataset()
  plane.ImageOrientationPatient = [f'{v:.9f}' for v in (*scan.across, *scan.down)]
  measures.PixelSpacing = [f'{v:.8g}' for v in scan.study.cines[0].spacing]
  measures.SliceThickness = 8
  shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([plane]), Sequence([measures])
  image.SharedFunctionalGroupsSequence = Sequence([shared])
  image.PerFrameFunctionalGroupsSequence = Sequence(groups)
  image.ImageType, image.NumberOfFrames = words, len(groups)
  image.CardiacSynchronizationTechnique = 'RETROSPECTIVE'
  image.Rows, image.Columns = pixels.shape[1:]
  assert pixels.min() >= 0
  assert pixels.max() <= 4095
  image.PixelData = np.rint(pixels).astype('<u2').tobytes()
  return image
