"""The bug hunt of notebook 08: eight implementations of PPO with one bug each, to be found from their curves.

    parts.py      PPO in exchangeable parts, and a training loop that records what an implementation sees of itself
    patients.py   the eight patients: the healthy parts with one of them broken
    checks.py     small tests for the diagnosis: each fails for one patient, and passes for the healthy implementation

Patients are only known by a letter. `patients.py` says what is wrong with each: look there last.
"""

from lessons.bug_hunt.checks import Finding, Specimen, examine
from lessons.bug_hunt.parts import HEALTHY, Implementation, run
from lessons.bug_hunt.patients import LETTERS, check_of, confirm, diagnosis, patient
