"""The benchmark of how right the tiny reward model can be: it runs, keeps what is there, and its file is whole."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from rlhf_lab.training.reward_objectives import PairsWithStrength
from rlhf_lab.world import TASTES

PATH = Path(__file__).parents[2] / "benchmarks" / "reward_limits.py"


@pytest.fixture
def limits():
    spec = importlib.util.spec_from_file_location("reward_limits", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_part_is_measured_and_the_rest_of_the_file_is_kept(limits, tmp_path, monkeypatch):
    file = tmp_path / "reward_limits.json"
    file.write_text(json.dumps({"noisy": {"brief, kept": 1}, "noise_free": {"brief": 5}}), encoding="utf-8")
    monkeypatch.setattr(limits, "FILE", file)
    limits.main("--only noisy --tastes polite --pairs 8 --held-out 12 --write".split())
    table = json.loads(file.read_text(encoding="utf-8"))
    assert table["noise_free"] == {"brief": 5} and table["noisy"]["brief, kept"] == 1
    found = table["noisy"]["polite, with strength, seed 0"]
    assert found["pairs"] == 8 and 0 < found["accuracy"] <= found["ceiling"] <= 1


@pytest.mark.slow
def test_readers_without_slips_are_learned_together(limits, capsys):
    limits.main("--only noise-free --unlimited 8 --held-out 12".split())
    found = json.loads(capsys.readouterr().out.split("noise_free ")[1])
    assert found.keys() == TASTES.keys()
    assert all(0 <= row["agreement"] <= 1 and row["heads"] == 10 for row in found.values())
    limits.main("--only noise-free --tastes vivid --unlimited 8 --held-out 12".split())
    found = json.loads(capsys.readouterr().out.split("noise_free ")[1])
    assert found.keys() == {"vivid"} and found["vivid"]["heads"] == 1


@pytest.mark.slow
def test_a_trunk_that_has_read_strangers_learns_a_reader(limits, capsys):
    limits.main("--only prepared --strangers 3 --each 4 --tastes polite --pairs 8 --held-out 12".split())
    *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last.removeprefix("prepared "))["polite, seed 0"]
    assert found["pairs"] == 8 and 0 < found["accuracy"] <= found["ceiling"] <= 1 and 0 < found["head_only"] <= 1


def test_only_the_readers_own_head_learns(limits):
    pairs = [limits.OneReadersPair("p", "a", "b", "p", strength=s, reader=k) for s, k in ((1, 0), (3, 1))]
    objective = limits.HeadOfTheReader(torch.tensor([0.5, 1.5]))
    scores = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(0))
    losses, alone = objective.losses(scores, pairs), PairsWithStrength(torch.tensor([0.5, 1.5])).losses(scores, pairs)
    assert losses[0, 0] == alone[0, 0] and losses[1, 1] == alone[1, 1] and losses.count_nonzero() == 2
    right = [(scores[i, 0, i] > scores[i, 1, i]).float() for i in (0, 1)]
    assert objective.metrics(scores, pairs)["accuracy"] == pytest.approx(float(sum(right)) / 2)


def test_no_stranger_has_a_taste_of_ours(limits):
    people = limits.strangers(18, seed=limits.STRANGER_SEED)
    weights = torch.tensor([[rater.taste.weights[name] for name in limits.SCALES] for rater in people])
    assert torch.allclose(weights.square().sum(1), torch.ones(18).double())
    assert float(weights.abs().max()) < 0.95  # a taste of ours is one of these and nothing else
    assert torch.allclose(weights.square().sum(0), torch.full((9,), 2.0).double())  # nothing is cared for more


def test_the_file_that_ships_is_whole(limits):
    table = json.loads(limits.FILE.read_text(encoding="utf-8"))
    assert table["noise_free"].keys() == TASTES.keys()
    for taste in ("cheerful", "brief", "polite", "vivid", "food", "animals"):
        for how in ("with", "without"):
            row = table["noisy"][f"{taste}, {how} strength, seed 0"]
            assert row["pairs"] == 2000 and 0.5 < row["accuracy"] <= row["ceiling"]
    assert min(row["agreement"] for row in table["noise_free"].values()) >= 0.97
    met = {name: row for name, row in table["prepared"].items() if "ceiling" in row}
    assert met.keys() == {f"{taste}, seed {seed}" for taste in TASTES for seed in (0, 1, 2)}
    for row in met.values():  # within two points of the ceiling, with 2,000 answers that have slips in them
        assert row["pairs"] == 2000 and 0 <= row["ceiling"] - row["accuracy"] < 0.02
