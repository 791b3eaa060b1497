"""Faults on a training run: real processes, real files."""

FAULTS = ()
