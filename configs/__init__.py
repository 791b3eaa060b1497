"""One file per experiment. Each changes a few of the defaults (`base`); its docstring says command, cost and score."""
