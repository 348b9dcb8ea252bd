"""Reward against divergence: what the price of drifting, beta, does to a policy of the shared task.

For each beta and seed, RLOO trains a copy of the starting model on the proxy reward, with beta KL in the reward. Then
it writes to held-out prompts, and five things are measured: the proxy, the gold reward (which training never saw), the
KL from the starting model, the share of decent texts, and their length.

    python tests/benchmarks/kl_frontier.py --write             6 betas, 5 seeds: about 20 minutes on one core
    python tests/benchmarks/kl_frontier.py --seeds 1 --betas 0 0.1

A run of 40 steps of 64 completions takes about 35 seconds on one core. With --write the results go to
data/results/kl_frontier.json, which notebook 07 draws.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lessons.shared_task import LONGEST, Task, load_task

from rlhf_lab.paths import data_dir
from rlhf_lab.training.algorithms import RLOO
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

BETAS = (0.0, 0.03, 0.1, 0.2, 0.5, 1.0)
SETTINGS = PolicyGradientConfig(
    steps=40, batch_size=64, samples_per_prompt=4, max_new_tokens=LONGEST, learning_rate=6e-4, kl_limit=1000.0
)
MEASURED = 256  # completions on held-out prompts


def run(
    task: Task, beta: float, seed: int, settings: PolicyGradientConfig = SETTINGS, measured: int = MEASURED
) -> dict:
    """One policy, trained and measured."""
    config = replace(settings, kl_coefficient=beta)
    policy, started = task.new_policy(), time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    result = train_policy(
        policy, task.model, task.reward, task.tokenizer, task.prompts, RLOO, config, generator=generator
    )
    seconds = time.perf_counter() - started
    found = task.measure(policy, measured, seed=1000 + seed).summary()
    rounded = {name: round(value, 4) for name, value in found.items()}
    return {"beta": beta, "seed": seed, **rounded, "stopped": result.stopped, "seconds": round(seconds, 1)}


def frontier(task: Task, betas: Sequence[float], seeds: Sequence[int], **settings) -> dict:
    """All runs, and the starting model measured with the same random numbers."""
    started = [task.measure(task.model, settings.get("measured", MEASURED), seed=1000 + s).summary() for s in seeds]
    before = {name: round(sum(each[name] for each in started) / len(started), 4) for name in started[0]}
    runs = []
    for seed in seeds:
        for beta in betas:
            runs.append(run(task, beta, seed, **settings))
            print(json.dumps(runs[-1]), flush=True)
    return {"before": before, "runs": runs}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betas", type=float, nargs="+", default=list(BETAS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=SETTINGS.steps)
    parser.add_argument("--write", action="store_true", help="replace data/results/kl_frontier.json")
    parser.add_argument("--to", type=Path, help="write to this file instead")
    options = parser.parse_args(arguments)
    settings = replace(SETTINGS, steps=options.steps)
    table = {
        "command": f"python tests/benchmarks/kl_frontier.py --seeds {options.seeds} --steps {settings.steps} --write",
        "algorithm": "RLOO",
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "learning_rate": settings.learning_rate,
        "seeds": options.seeds,
        "completions_measured": MEASURED,
        "threads": torch.get_num_threads(),
        **frontier(load_task(own=False), options.betas, range(options.seeds), settings=settings),
    }
    if options.write or options.to:
        target = options.to or data_dir() / "results" / "kl_frontier.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
