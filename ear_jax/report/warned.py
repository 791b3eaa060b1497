"""What a warning of the quality gate means for the numbers: which it makes uncertain, and what to look at."""

ALL, OTHERS = 'all numbers of the slice', 'numbers of several slices: volumes, strain, twist, gradients'
# Name of a check to the numbers that its warning makes uncertain, and what to look at.
WARNED = {
  'reading': ('what the sentence names', 'the sentence: it says what was left out or decided'),
  'frames': (OTHERS, 'which slices have another number of frames'),
  'heart rate': (OTHERS, 'the RR of each slice'),
  'velocities': (OTHERS, 'the slices without velocities'),
  'venc': ('velocities', 'whether each slice was scanned so'),
  'pixel spacing': ('what is in mm, mL or g', 'whether the study should say it'),
  'frame interval': ('what is in ms', 'whether the study should say it'),
  'velocity signs': ('signs of velocities, strain and twist', 'whether the longitudinal PS is positive'),
  'order of sectors': ('names of sectors and segments, the sign of twist', 'where the right ventricle lies'),
  'ventricle': ('volumes', 'the slices at both ends of the stack'),
  'contours': (ALL, 'the frames without contours'),
  'bulge of a drawn contour': (ALL, 'whether the wall goes where the contour does'),
  'contours on a wall': (ALL, 'whether the contours lie on the wall'),
  'drawn contours': (ALL, 'the frames that are not drawn'),
  'carried contours': (ALL, 'whether the contours that were carried lie on the wall'),
  'repaired rings': (ALL, 'the frames with a yellow remark'),
  'steady area': (ALL, 'the frames in which the contours leap'),
  'size of the heart': (ALL, 'whether the contours lie on the wall'),
  'thin wall': ('mass, thickness, and velocities there', 'where both contours come close'),
  'expected Dice': (ALL, 'whether the contours lie on the wall in every frame'),
  'end systole': ('volumes and strain at end systole', 'the contours of the slice that differs, round end systole'),
  'marker ES': ('the marker ES, PC3 and normalised times', 'the radial curve of that slice'),
  'markers': ('the peaks that are named', 'their curve'),
  'size of velocities': ('all velocities of the slice, strain and twist', 'venc and frame interval'),
  'phase wraps': ('peak velocities of the slice', 'the raw views at the peaks, for pixels that jump'),
  'noise': ('velocities of small sectors, strain', 'the intervals of the markers'),
  'background': ('velocities of the slice', 'the raw views: the wall should rest in mid diastole'),
  'signs': (
    'signs of velocities, strain and twist',
    'whether the wall moves inward while its radial velocity is positive',
  ),
  'stack': (OTHERS, 'whether the contours of that slice lie on the same ventricle'),
  'slice distance': ('longitudinal strain, torsion, volumes', 'whether the slices lie where the files say'),
  'septal reference': ('names of sectors and segments', 'the yellow tick at mid septum'),
}
NO_INTERVAL = {  # why the ejection fraction has none: whether a network made contours
  True: (
    'The ejection fraction has no interval: its error is mostly that of contours and of the slices chosen at the base. '
    'Networks trained as ear3d-sunnybrook was, with ear3d-magnitude beside them, had it 5.8 points larger than an '
    'expert in 35 patients whom they had not seen (in healthy people 11), with limits of agreement of -3.8 to +15.4 '
    'points (docs/results.md).'
  ),
  False: 'The ejection fraction has no interval: how far readers differ was not measured here.',
}
