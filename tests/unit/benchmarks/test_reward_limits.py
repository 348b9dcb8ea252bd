"""The benchmark of how right the tiny reward model can be: it runs, keeps what is there, and its file is whole."""

import importlib.util
import json
from pathlib import Path

import pytest

from rlhf_lab.world import TASTES

PATH = Path(__file__).parents[2] / "benchmarks" / "reward_limits.py"


@pytest.fixture
def limits():
    spec = importlib.util.spec_from_file_location("reward_limits", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_part_is_measured_and_the_rest_of_the_file_is_kept(limits, tmp_path, monkeypatch):
    file = tmp_path / "reward_limits.json"
    file.write_text(json.dumps({"noisy": {"brief, kept": 1}, "noise_free": {"pairs": 5}}), encoding="utf-8")
    monkeypatch.setattr(limits, "FILE", file)
    limits.main("--only noisy --tastes polite --pairs 8 --held-out 12 --write".split())
    table = json.loads(file.read_text(encoding="utf-8"))
    assert table["noise_free"] == {"pairs": 5} and table["noisy"]["brief, kept"] == 1
    found = table["noisy"]["polite, with strength, seed 0"]
    assert found["pairs"] == 8 and 0 < found["accuracy"] <= found["ceiling"] <= 1


def test_readers_without_slips_are_learned_together(limits, capsys):
    limits.main("--only noise-free --unlimited 8 --held-out 12".split())
    found = json.loads(capsys.readouterr().out.split("noise_free ")[1])
    assert found["tastes"].keys() == TASTES.keys()
    assert all(0 <= row["agreement"] <= 1 for row in found["tastes"].values())


def test_the_file_that_ships_is_whole(limits):
    table = json.loads(limits.FILE.read_text(encoding="utf-8"))
    assert table["noise_free"]["tastes"].keys() == TASTES.keys()
    for taste in ("cheerful", "brief", "polite", "vivid", "food", "animals"):
        for how in ("with", "without"):
            row = table["noisy"][f"{taste}, {how} strength, seed 0"]
            assert row["pairs"] == 2000 and 0.5 < row["accuracy"] <= row["ceiling"]
    assert min(row["agreement"] for row in table["noise_free"]["tastes"].values()) > 0.96
