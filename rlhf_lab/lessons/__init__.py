"""Code that only one or two notebooks need. The loops and formulas behind it are in the other subpackages."""
