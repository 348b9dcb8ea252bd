"""RLHF Lab: the helper package behind the notebooks.

Import the part you need (`from rlhf_lab.models.sampling import sample`). Importing the package itself loads
nothing else, so that it is quick and works where torch or Jupyter are not needed.
"""

__version__ = "0.1.0"
