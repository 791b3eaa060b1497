"""A grid of experiments: what is run, running it, and the tables and figures that come out."""
