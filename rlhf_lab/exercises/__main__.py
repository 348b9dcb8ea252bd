"""`python -m rlhf_lab.exercises NAME` prints an exercise as notebook cells."""

import argparse

from rlhf_lab.exercises.catalogue import UnknownExerciseError, find, names
from rlhf_lab.exercises.pages import cells

parser = argparse.ArgumentParser(prog="python -m rlhf_lab.exercises", description=__doc__)
parser.add_argument("name", nargs="*", help="name of an exercise; without one, all of them are printed")
arguments = parser.parse_args()
try:
    exercises = [find(name) for name in arguments.name or names()]
except (UnknownExerciseError, FileNotFoundError) as error:
    parser.error(str(error))
for exercise in exercises:
    for kind, source in cells(exercise):
        print(f"--- {kind} ---\n{source}\n")
