"""A digital MVM-CMR study with its exact truth: anatomy, motion and scanner as separate pure parts.

Randomness is an argument everywhere: no files, no clock, no global generator. `study` is the way in.
"""
