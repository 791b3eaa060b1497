"""From records on disk to device-ready batches: records, splits, normalise, augment, pipeline."""
