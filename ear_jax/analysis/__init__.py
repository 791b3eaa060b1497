"""From masks to numbers: segmentation metrics, contours, velocities, statistics. No files, no flags, no clock."""
