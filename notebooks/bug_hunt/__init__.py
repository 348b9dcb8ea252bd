"""The bug hunt of notebook 08: eight implementations of PPO with one bug each, to be found by their curves.

    parts.py      PPO made of parts that can be exchanged, and a loop that shows what such an implementation sees
    patients.py   the eight patients: the healthy parts, with one of them broken
    checks.py     small tests that tell: each fails for the patient that it is made for, and passes for the healthy

A patient is known by a letter only. What is wrong with it is in `patients.py`: look there last.
"""

from bug_hunt.checks import Finding, Specimen, examine
from bug_hunt.parts import HEALTHY, Implementation, run
from bug_hunt.patients import LETTERS, check_of, confirm, diagnosis, patient
