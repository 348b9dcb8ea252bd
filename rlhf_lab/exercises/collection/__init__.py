"""One file an exercise. `rlhf_lab.exercises` says how they are written."""
