"""DICOM: headers, magnitude cines, phase contrast of any vendor, where slices lie, segmentation objects."""
