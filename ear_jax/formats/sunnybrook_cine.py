"""Sunnybrook Cardiac Data, layout `cine`: whole cines as DICOM with contour files. Not read yet."""


def read_cines(root):
  """Raises NotImplementedError."""
  raise NotImplementedError('sunnybrook/cine is not written yet; use --config=frames')
