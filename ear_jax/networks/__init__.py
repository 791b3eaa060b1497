"""Trained networks: from a run, a file or a name to the mask of any cine."""
