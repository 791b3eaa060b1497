"""How long the network takes and how much memory, of ours and of whatever else speaks to `worker.serve`.

Each contestant lives in a process of its own that waits until it is told to go, so that contestants share the machine
in turn and not at once. Imported by `ear_jax.benchmark` and by `benchmarks/`, and by nothing that trains or predicts.
"""
