"""The benchmark of the kinds of feedback, on sizes so small that it says nothing, to see that it runs."""

import importlib.util
from pathlib import Path

import pytest
from lessons.label_budgets import CONTENDERS

from rlhf_lab.models.loading import load_language_model

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reward_kinds.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("reward_kinds_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_both_experiments(benchmark):
    small = "--seeds 2 --sizes 4 8 --sittings 200 --prompts 12 --held-out 3".split()
    results = benchmark.run(benchmark.parse(small), *load_language_model("tiny"))
    assert results["curve"]["sizes"] == [4, 8]
    for part in ("head", "whole"):
        assert [len(values) for values in results["curve"][part]] == [2, 2]
        assert all(len(row[part]) == 2 and 0 < min(row[part]) <= max(row[part]) < 1 for row in results["kinds"])
    assert any(len(set(row["head"])) == 2 for row in results["kinds"])  # a seed makes a difference
    assert [row["kind"] for row in results["kinds"]] == list(CONTENDERS)
    rows = {row["kind"]: row for row in results["kinds"]}
    assert rows["label"]["answers"] > rows["compare"]["answers"] > rows["edit"]["answers"] > 0
    assert 0.5 < results["ceiling"] < 1 and results["pace"]["words_read_a_minute"] == 240
