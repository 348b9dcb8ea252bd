"""Does each policy-gradient algorithm raise the reward that counts, and at what price in KL?

All algorithms of `rlhf_lab.training.algorithms` on the task that notebooks 05 to 09 share, with equal samples. They
are given the proxy, a reward model that learned from comparisons. What is reported besides is the gold reward, the
reader's own taste: how far held-out completions have gained over those of the starting model, to the same prompts.

    python tests/benchmarks/zoo.py --write                  every algorithm, five seeds: half an hour on one core
    python tests/benchmarks/zoo.py --algorithms GSPO --seeds 0 1 --write part.json
    python tests/benchmarks/zoo.py --from part.json --write takes those runs over and makes the others

No learning rate is fair to all, so each algorithm has its own. A few rates are tried on a seed that is not reported;
among those that stay within KL_ALLOWED, the one with the highest proxy wins. The gold reward plays no part in this. The
search is kept in the results file, and repeated if the starting model or the reward model has changed.

The file is written after every run, so an interrupted series only loses the run that was under way.
"""

import argparse
import json
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lessons.shared_task import LONGEST, Task, load_task

from rlhf_lab.evaluation import Estimate
from rlhf_lab.paths import data_dir
from rlhf_lab.training.algorithms import (
    DAPO,
    DR_GRPO,
    GRPO,
    GSPO,
    PPO,
    REINFORCE,
    RLOO,
    Algorithm,
    GeneralisedAdvantage,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

RESULTS = data_dir() / "results" / "zoo.json"
STEPS = 24
COMPLETIONS = 64  # a step, for all
GROUP = 8  # completions of a prompt, where an algorithm compares them; the others see 64 prompts a step
KL_COEFFICIENT = 0.1  # price of a nat, in standard deviations of the proxy, for all that price it
MEASURED = 256  # held-out completions of the trained policy, and of the starting model to the same prompts
ON_THE_WAY = 128  # held-out completions at each point of a path
PATH_EVERY = 6  # steps between two points of a path
SEARCH_SEED = 100  # not one of those that are reported
SEARCHED = (5e-5, 1e-4, 2e-4, 4e-4)  # learning rates, tried in this order until one goes too far
KL_ALLOWED = 3.0  # nats from the start, on average, for a rate to be taken


@dataclass(frozen=True)
class Entry:
    """An algorithm of the zoo, with its own settings."""

    algorithm: Algorithm
    group: int = GROUP


ZOO = {
    "REINFORCE": Entry(REINFORCE, group=1),
    "RLOO": Entry(RLOO),
    "PPO": Entry(PPO, group=1),
    # The reward comes at the end of a text. With lam = 0.95 the first of thirty tokens get a fifth of it.
    "PPO, lam=1": Entry(replace(PPO, advantage=GeneralisedAdvantage(lam=1.0)), group=1),
    "GRPO": Entry(GRPO),
    "Dr. GRPO": Entry(DR_GRPO),
    "DAPO": Entry(DAPO),
    "GSPO": Entry(GSPO),
}


# --- Runs --------------------------------------------------------------------------------------------


def train(task: Task, entry: Entry, learning_rate: float, seed: int, steps: int, look: Callable | None = None):
    """One training run: (policy, result). look(policy, record): called after every step."""
    policy = task.new_policy()
    config = PolicyGradientConfig(
        steps=steps,
        batch_size=COMPLETIONS,
        samples_per_prompt=entry.group,
        max_new_tokens=LONGEST,
        learning_rate=learning_rate,
        kl_coefficient=KL_COEFFICIENT,
        samples_shown=0,
    )
    result = train_policy(
        policy,
        task.model,
        task.reward,
        task.tokenizer,
        task.prompts,
        entry.algorithm,
        config,
        callback=(lambda record: look(policy, record)) if look else None,
        generator=torch.Generator().manual_seed(seed),
    )
    return policy, result


def play(task: Task, name: str, learning_rate: float, seed: int, steps: int = STEPS, measured: int = MEASURED) -> dict:
    """One run of an algorithm, and its results."""
    started, path = time.perf_counter(), []

    def look(policy, record: dict) -> None:
        if record["step"] % PATH_EVERY == 0 and record["step"] < steps:
            path.append({"step": record["step"]} | _rounded(task.measure(policy, ON_THE_WAY).summary()))

    policy, result = train(task, ZOO[name], learning_rate, seed, steps, look)
    after = task.measure(policy, measured)
    history, summary = result.history, _rounded(after.summary())
    mean = {
        key: round(float(np.mean([record[key] for record in history])), 4)
        for key in ("zero_std_groups", "clip_fraction")
        if history and key in history[0]
    }
    return {
        "algorithm": name,
        "seed": seed,
        "learning_rate": learning_rate,
        "steps": len(history),
        "stopped": result.stopped,
        **summary,
        **mean,
        "path": [*path, {"step": len(history)} | summary],
        "golds": [round(value, 2) for value in after.gold.tolist()],  # of each held-out completion
        "seconds": round(time.perf_counter() - started, 1),
    }


def search(task: Task, name: str, learning_rate: float, steps: int = STEPS, measured: int = MEASURED) -> dict:
    """The result of one learning rate on the search seed."""
    policy, result = train(task, ZOO[name], learning_rate, SEARCH_SEED, steps)
    found = _rounded(task.measure(policy, measured).summary())
    return {"algorithm": name, "learning_rate": learning_rate, "stopped": result.stopped, **found, "models": stamp()}


def best_rate(searched: Sequence[dict], name: str) -> float:
    """The rate with the highest proxy within KL_ALLOWED. If none stays within it, the one with the least KL."""
    rows = [row for row in searched if row["algorithm"] == name]
    allowed = [row for row in rows if row["kl"] <= KL_ALLOWED and not row["stopped"]]
    row = max(allowed, key=lambda row: row["reward"]) if allowed else min(rows, key=lambda row: row["kl"])
    return row["learning_rate"]


def _rounded(summary: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in summary.items()}


# --- The table ---------------------------------------------------------------------------------------


def gain(after: Sequence[Sequence[float]], before, resamples: int = 2000, confidence: float = 0.95) -> Estimate:
    """Mean of after - before over S seeds and N prompts, with an interval that allows for both.

    after: (S, N), a row a training run, every run measured on the same N prompts. before: (N,), or (S, N). Seeds and
    prompts are drawn anew, independently of each other (the pigeonhole bootstrap, Owen 2007). With one seed the
    interval can only allow for the prompts.
    """
    differences = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)  # (S, N)
    seeds, prompts = differences.shape
    rng = np.random.default_rng(0)
    draws = [
        differences[rng.integers(seeds, size=seeds)][:, rng.integers(prompts, size=prompts)].mean()
        for _ in range(resamples)
    ]
    low, high = np.quantile(draws, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(float(differences.mean()), float(low), float(high), confidence)


def summarise(runs: Sequence[dict], start: dict) -> list[dict]:
    """One row per algorithm: means over seeds, each seed's gain, and the intervals."""
    by_name = {name: [run for run in runs if run["algorithm"] == name] for name in ZOO}
    golds = {name: {run["seed"]: run["golds"] for run in of_it} for name, of_it in by_name.items()}
    rows = []
    for name, of_it in by_name.items():
        if not of_it:
            continue
        row = {"algorithm": name, "seeds": len(of_it), "learning_rate": of_it[0]["learning_rate"]}
        keys = ("reward", "gold", "kl", "decent", "length", "zero_std_groups", "clip_fraction", "seconds")
        row |= {key: round(float(np.mean([run[key] for run in of_it])), 3) for key in keys if key in of_it[0]}
        row["gain"] = _as_dict(gain(list(golds[name].values()), start["golds"]))
        row["gain_by_seed"] = [round(float(np.mean(run["golds"]) - np.mean(start["golds"])), 3) for run in of_it]
        common = sorted(golds[name].keys() & golds["GRPO"].keys())
        if name != "GRPO" and common:
            ours, theirs = ([golds[which][seed] for seed in common] for which in (name, "GRPO"))
            row["against_grpo"] = _as_dict(gain(ours, theirs))
        rows.append(row)
    return rows


def _as_dict(estimate: Estimate) -> dict[str, float]:
    return {key: round(getattr(estimate, key), 3) for key in ("value", "low", "high")}


def report(runs: Sequence[dict], start: dict, searched: Sequence[dict] = ()) -> dict:
    """All that goes into the results file."""
    order = {name: number for number, name in enumerate(ZOO)}
    return {
        "command": "python tests/benchmarks/zoo.py --write",
        "settings": {
            "steps": max((run["steps"] for run in runs), default=0),
            "completions_a_step": COMPLETIONS,
            "group": GROUP,
            "kl_coefficient": KL_COEFFICIENT,
            "kl_allowed": KL_ALLOWED,
            "search_seed": SEARCH_SEED,
            "measured": len(start["golds"]),
            "on_the_way": ON_THE_WAY,
            "threads": torch.get_num_threads(),
        },
        "start": start,
        "table": summarise(runs, start),
        "search": sorted(searched, key=lambda row: (order[row["algorithm"]], row["learning_rate"])),
        "runs": sorted(runs, key=lambda run: (order[run["algorithm"]], run["seed"])),
    }


def write(found: dict, path: Path) -> None:
    """One line a run: the file can be read, and is not a thousand pages long."""
    parts = []
    for key, value in found.items():
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(row)}" for row in value)
            parts.append(f" {json.dumps(key)}: [\n{lines}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def stamp() -> str:
    """Fingerprints of the two models that all numbers depend on: the starting model and the reward model."""
    weights = [(data_dir() / name / "model.safetensors").read_bytes() for name in ("tiny", "reward")]
    return f"{zlib.crc32(b''.join(weights)):08x}"


def kept(files: Sequence[Path], start: dict) -> list[dict]:
    """The runs in results files. They must have been measured in the same way as now."""
    runs = {}
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["start"] != start:
            raise SystemExit(
                f"The runs in {file} were measured with another starting model, another reward model or other held-out"
                " samples than today's. Leave the file out, and make its runs again."
            )
        runs |= {(run["algorithm"], run["seed"]): run for run in found["runs"]}
    return list(runs.values())


def searched_before(files: Sequence[Path]) -> list[dict]:
    """The searches in results files that were made with the current models."""
    rows = [row for file in files if file.is_file() for row in json.loads(file.read_text(encoding="utf-8"))["search"]]
    return list({(row["algorithm"], row["learning_rate"]): row for row in rows if row["models"] == stamp()}.values())


def start_of(task: Task, measured: int = MEASURED) -> dict:
    """What the starting model writes, measured as all policies are."""
    before = task.measure(task.model, measured)
    return _rounded(before.summary()) | {"golds": [round(value, 2) for value in before.gold.tolist()]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="*", default=list(ZOO), choices=list(ZOO))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(range(5)))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--measured", type=int, default=MEASURED, help="held-out completions of each policy")
    parser.add_argument("--learning-rate", type=float, help="the same for all, instead of a search")
    parser.add_argument("--write", nargs="?", type=Path, const=RESULTS, help="the results file, or another one")
    parser.add_argument("--from", dest="files", nargs="*", type=Path, default=[], help="take over the runs of these")
    options = parser.parse_args(arguments)
    task = load_task(own=False)
    start = start_of(task, options.measured)
    runs, searched = kept(options.files, start), searched_before([RESULTS, *options.files])

    def keep(row: dict) -> None:
        print({key: value for key, value in row.items() if key not in ("golds", "path")}, flush=True)
        if options.write:
            write(report(runs, start, searched), options.write)

    have = {(run["algorithm"], run["seed"]) for run in runs}
    for name in options.algorithms if options.learning_rate is None else ():
        for rate in SEARCHED:
            tried = [row for row in searched if (row["algorithm"], row["learning_rate"]) == (name, rate)]
            if not tried:
                tried = [search(task, name, rate, options.steps, options.measured)]
                searched += tried
                keep(tried[0])
            if tried[0]["kl"] > KL_ALLOWED:
                break
    for seed in options.seeds:
        for name in [name for name in options.algorithms if (name, seed) not in have]:
            rate = options.learning_rate or best_rate(searched, name)
            runs.append(play(task, name, rate, seed, options.steps, options.measured))
            keep(runs[-1])
    if options.write:  # where nothing was left to do, too
        write(report(runs, start, searched), options.write)
    for row in summarise(runs, start):
        gained = Estimate(**row["gain"])
        print(f"{row['algorithm']:>12}: gold {gained}: {gained.verdict}; KL {row['kl']:.1f}")


if __name__ == "__main__":
    main()
