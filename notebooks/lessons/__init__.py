"""Code that one or a few notebooks need and nobody else. The loops and formulas behind it are in `rlhf_lab`."""
