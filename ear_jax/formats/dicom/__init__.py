"""DICOM: headers, magnitude cines, where slices lie, segmentation objects."""
