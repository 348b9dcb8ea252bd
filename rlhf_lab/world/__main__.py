"""`python -m rlhf_lab.world` writes the corpus of the tiny world."""

from .build import main

main()
