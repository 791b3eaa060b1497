"""From masks to contours, velocity curves and their markers; the quality gate. No files, no flags, no clock."""
