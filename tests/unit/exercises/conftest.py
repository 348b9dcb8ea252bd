"""Every test of exercises has a folder of its own for progress."""

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RLHF_LAB_HOME", str(tmp_path))
    return tmp_path
