"""What every test shares: no network, no learner's files touched, a simulated rater in the person's place.

Pages, browser tests and other people's tools are slow as a whole: `python -m pytest -m "not slow"` leaves them out.
The variables are set when pytest starts, before any notebook's kernel, so that kernels inherit them.
"""

import os
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW_FOLDERS = tuple(ROOT / name for name in ("notebooks", "tests/browser", "tests/interop", "tests/notebooks"))

HOME = tempfile.TemporaryDirectory(prefix="rlhf-lab-tests-")

os.environ["RLHF_LAB_HOME"] = HOME.name
os.environ["RLHF_LAB_RATER"] = "simulated"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in SLOW_FOLDERS):
            item.add_marker(pytest.mark.slow)
