"""The browser tests share one JupyterLab and one page. Without a browser they are skipped, and say why.

RLHF_LAB_REQUIRE_BROWSER=1 makes a missing browser an error; RLHF_LAB_SCREENSHOTS=FOLDER keeps pictures.
"""

import os
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def missing() -> str:
    """What is missing for browser tests, or an empty string."""
    try:
        import axe_playwright_python  # noqa: F401
        import playwright  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed (python -m pip install -r tests/requirements.txt)"
    from lab_page import CHROMIUM_NAMES, find_chromium

    if not find_chromium():
        return f"no Chromium on the PATH (looked for {', '.join(CHROMIUM_NAMES)})"
    return ""


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A `lab_page.Lab`: a JupyterLab on a copy of the notebooks, and a page."""
    reason = missing()
    if reason and os.environ.get("RLHF_LAB_REQUIRE_BROWSER") == "1":
        pytest.fail(f"Browser tests are required here, but {reason}.")
    if reason:
        pytest.skip(reason)
    from lab_page import find_chromium, running_lab

    with running_lab(NOTEBOOKS, tmp_path_factory.mktemp("lab"), find_chromium()) as running:
        yield running
