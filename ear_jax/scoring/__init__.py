"""Masks and velocity curves against a reference: metrics, agreement, intervals, tests. No files, no flags, no clock."""
