"""The benchmark behind notebook 09's table: its arithmetic, its files, and one run in the smallest size."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "zoo.py"
spec = importlib.util.spec_from_file_location("zoo", SCRIPT)
zoo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(zoo)


def a_run(name, seed, golds, **more):
    """A run of the table's form, with made-up numbers."""
    summary = {"reward": 1.0, "gold": float(np.mean(golds)), "kl": 2.0, "decent": 0.9, "length": 20.0}
    fixed = {"algorithm": name, "seed": seed, "learning_rate": 1e-4, "steps": 3, "stopped": "", "seconds": 1.0}
    return fixed | summary | {"path": [{"step": 3} | summary], "golds": list(golds)} | more


def a_start(golds):
    return {"reward": 0.0, "gold": float(np.mean(golds)), "golds": list(golds)}


def test_a_gain_is_the_mean_difference_and_a_constant_one_is_certain():
    before = np.random.default_rng(0).normal(size=50)
    found = zoo.gain([before + 0.5] * 5, before)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_the_interval_allows_for_prompts_and_for_seeds():
    rng = np.random.default_rng(1)
    before, by_prompt = np.zeros(100), rng.normal(size=100)
    prompts = zoo.gain([by_prompt] * 5, before)  # seeds agree, prompts do not
    assert prompts.high - prompts.low == pytest.approx(2 * 1.96 / 10, rel=0.3)
    by_seed = rng.normal(size=5)
    seeds = zoo.gain([np.full(100, value) for value in by_seed], before)  # prompts agree, seeds do not
    assert seeds.high - seeds.low == pytest.approx(2 * 1.96 * by_seed.std() / 5**0.5, rel=0.3)
    both = zoo.gain([by_prompt + value for value in by_seed], before)
    assert both.high - both.low > max(prompts.high - prompts.low, seeds.high - seeds.low)


def test_the_rate_is_the_best_proxy_within_the_kl_that_is_allowed():
    def row(rate, reward, kl, stopped=""):
        return {"algorithm": "GRPO", "learning_rate": rate, "reward": reward, "kl": kl, "stopped": stopped}

    far, near, small = row(4e-4, 2.0, 30.0), row(2e-4, 1.5, 3.0), row(1e-4, 1.0, 1.0)
    other = {**near, "algorithm": "RLOO", "learning_rate": 9.0}
    assert zoo.best_rate([far, near, small, other], "GRPO") == 2e-4
    assert zoo.best_rate([far, {**near, "stopped": "Stopped."}, small], "GRPO") == 1e-4
    assert zoo.best_rate([far, row(2e-4, 1.5, 20.0)], "GRPO") == 2e-4  # none is allowed: that with the least KL


def test_a_row_of_the_table():
    runs = [
        a_run("GRPO", 0, [1.0, 2.0]),
        a_run("GRPO", 1, [2.0, 3.0]),
        a_run("GSPO", 1, [2.0, 4.0], clip_fraction=0.25),
    ]
    first, second = zoo.summarise(runs, a_start([0.0, 1.0]))
    assert (first["algorithm"], first["seeds"], first["gain_by_seed"]) == ("GRPO", 2, [1.0, 2.0])
    assert first["gain"]["value"] == 1.5 and first["gold"] == 2.0 and "against_grpo" not in first
    assert second["against_grpo"]["value"] == 0.5 and second["clip_fraction"] == 0.25  # seed 1 against seed 1


def test_runs_are_kept_and_those_of_another_start_refused(tmp_path):
    start, file = a_start([0.0, 1.0]), tmp_path / "part.json"
    runs = [a_run("GSPO", 0, [1.0, 2.0]), a_run("GRPO", 0, [1.0, 2.0])]
    zoo.write(zoo.report(runs, start), file)
    assert zoo.kept([file], start) == runs[::-1]  # in the order of the zoo
    with pytest.raises(SystemExit, match="another reward model"):
        zoo.kept([file], a_start([0.0, 1.5]))


@pytest.mark.slow
def test_one_run_in_the_smallest_size(tmp_path, capsys):
    file, small = tmp_path / "zoo.json", ["--steps", "1", "--measured", "12", "--learning-rate", "1e-4"]
    zoo.main(["--algorithms", "GRPO", "--seeds", "0", *small, "--write", str(file)])
    found = json.loads(file.read_text())
    (run,) = found["runs"]
    assert run["steps"] == 1 and len(run["golds"]) == 12 and run["kl"] != 0 and run["path"][-1]["step"] == 1
    assert found["table"][0]["gain"]["value"] == pytest.approx(run["gold"] - found["start"]["gold"], abs=0.02)
    capsys.readouterr()
    whole = tmp_path / "whole.json"
    zoo.main(["--algorithms", "GRPO", "--seeds", "0", *small, "--from", str(file), "--write", str(whole)])
    assert "'seed'" not in capsys.readouterr().out and whole.read_text() == file.read_text()  # nothing was left to do


def test_the_shipped_table_follows_from_the_shipped_runs():
    found = json.loads(zoo.RESULTS.read_text(encoding="utf-8"))
    assert found["table"] == zoo.summarise(found["runs"], found["start"])
    assert {run["algorithm"] for run in found["runs"]} == set(zoo.ZOO)
    assert all(row["seeds"] >= 5 and row["gain"]["low"] > 0 for row in found["table"]), "all raise the gold reward"
    for run in found["runs"] if found["search"] else ():
        assert run["learning_rate"] == zoo.best_rate(found["search"], run["algorithm"])
