"""Readers and writers: each module knows one file format and turns it into `Cine`s, and some of them back.

Signs, swaps and scaling of a format end in its reader and begin in its writer: what leaves here is in physical units,
channels in the order of `ear_jax.cine`. Builders and `predict` import this; nothing here imports them.
"""
