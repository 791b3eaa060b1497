"""One file per experiment. Each imports `base` and changes a few fields; its docstring says command, cost and score."""
