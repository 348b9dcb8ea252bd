"""The trial of killing a process that saves models, in small."""

import importlib
import os
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs kill -9")
@pytest.mark.parametrize("kind", ["language model", "reward model"])
def test_a_folder_is_whole_whenever_its_writer_is_killed(kind, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    trial = importlib.import_module("kill_while_saving").trial
    found = trial(kind, kills=4, width=16)
    assert found["kills"] == 4 and found["not whole"] == found["leftovers after the next save"] == 0, found
