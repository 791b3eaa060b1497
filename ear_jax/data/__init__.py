"""From records on disk to device-ready batches: records, data_set, splits, normalise, augment, pipeline."""
