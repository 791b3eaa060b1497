"""What computes: where arrays live, how much memory there is, several processes as one run, the health of a machine."""
