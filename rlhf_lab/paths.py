"""Where things live: what ships with the course, and what a learner makes.

Two folders, never mixed. `data_dir()` is read only. `home_dir()` holds a learner's ratings and trained
models; deleting it resets the course.
"""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """The folder of what ships with the course: corpora, prompts, recorded feedback, checkpoints.

    Raises FileNotFoundError where the package was installed without the repository around it.
    """
    folder = REPOSITORY / "data"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The course data is not at {folder}. Install from a checkout of the repository with"
            " `python -m pip install -r requirements.txt`, so that data/ stays beside rlhf_lab/."
        )
    return folder


def home_dir() -> Path:
    """The folder for a learner's own results, made if needed: $RLHF_LAB_HOME, or my_lab/ in the checkout."""
    folder = Path(os.environ.get("RLHF_LAB_HOME") or REPOSITORY / "my_lab").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
