"""The two folders of the course, and how to write a file safely.

`data_dir()` holds what ships with the course and is read only. `home_dir()` holds a learner's ratings and trained
models; deleting it resets the course. The two are never mixed.
"""

import os
import shutil
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """The folder of what ships with the course: corpora, prompts, recorded feedback, checkpoints.

    FileNotFoundError if the package was installed without the rest of the repository.
    """
    folder = REPOSITORY / "data"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"The course data is not at {folder}. Install from a checkout of the repository with"
            " `python -m pip install -r requirements.txt`, so that data/ stays beside rlhf_lab/."
        )
    return folder


def home_dir() -> Path:
    """The folder for a learner's own results, created if needed: $RLHF_LAB_HOME, or my_lab/ in the checkout.

    ValueError if it cannot be created or written to.
    """
    named = os.environ.get("RLHF_LAB_HOME")
    folder = Path(named or REPOSITORY / "my_lab")
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("it may not be written to")
    except FileExistsError as error:
        raise _unusable(named, folder, "a file has that name, or a link that leads nowhere") from error
    except OSError as error:
        raise _unusable(named, folder, error.strerror or str(error)) from error
    except RuntimeError as error:  # "~somebody" that this machine does not know
        raise _unusable(named, folder, "nobody of that name has a home here") from error
    return folder


def _unusable(named: str | None, folder: Path, reason: str) -> ValueError:
    shown = str(folder) if len(str(folder)) <= 120 else f"{str(folder)[:120]}..."
    if named:
        todo = "Set it to a folder that is there or can be made; without it, my_lab/ in the checkout is used."
        return ValueError(f"RLHF_LAB_HOME names {shown}, which cannot be used ({reason}). {todo}")
    todo = "Set RLHF_LAB_HOME to a folder that may be written to."
    return ValueError(f"Your results cannot be kept in {shown} ({reason}). {todo}")


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: it is always completely old or completely new. After an error it is the old one.

    OSError if it cannot be written, or if the name belongs to a folder or a device.
    """
    path = path.resolve()  # write to the target of a link, do not replace the link
    old = path.exists()
    if old and not (path.is_file() and os.access(path, os.W_OK)):
        raise OSError("it is not a file that may be written to")
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
    try:
        with open(unfinished, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before renaming, or a power cut could leave an empty file
        if old:
            shutil.copymode(path, unfinished)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
