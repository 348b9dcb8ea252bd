"""What each part of PPO buys, and what eight bugs do to it: the numbers behind notebook 08.

The ladder starts from REINFORCE and adds one part of PPO after another: several updates per rollout, the clip, the
value head, GAE's lambda, whitening. Every rung gets the same number of samples, in the same order of prompts, over
several seeds. Three things are measured on held-out prompts: the reward it was trained on, the gold reward it never
saw, and the KL. The hunt trains every patient of `lessons.bug_hunt`, and a healthy run, and keeps their curves.

    python tests/benchmarks/ppo_ladder.py                            both, at full scale: about an hour on one core
    python tests/benchmarks/ppo_ladder.py --only ladder --seeds 2 --steps 10 --batch-size 32
    python tests/benchmarks/ppo_ladder.py --write                    replace data/results/ppo_ladder.json

With --only, --write replaces just that half of the file.
"""

import argparse
import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from lessons.bug_hunt import LETTERS, patient, run
from lessons.shared_task import LONGEST, Task, load_task

from rlhf_lab.evaluation import over_runs
from rlhf_lab.objectives.advantages import batch_mean_baseline
from rlhf_lab.objectives.policy import token_mean
from rlhf_lab.paths import data_dir
from rlhf_lab.training.algorithms import (
    Algorithm,
    ClippedRatio,
    CompletionAdvantage,
    GeneralisedAdvantage,
    ScoreFunction,
)
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, train_policy

CONFIG = PolicyGradientConfig(
    steps=20, batch_size=64, max_new_tokens=LONGEST, learning_rate=6e-4, kl_coefficient=0.1, samples_shown=0
)
ONE, UNCLIPPED, CLIPPED = CompletionAdvantage(batch_mean_baseline), ClippedRatio(low=1.0, high=math.inf), ClippedRatio()
VALUES = GeneralisedAdvantage(lam=1.0, whiten_advantages=False)
SHORTER = replace(VALUES, lam=0.95)
LADDER = {
    "one update a rollout": Algorithm(ONE, ScoreFunction(average=token_mean)),
    "four updates, with the ratio": Algorithm(ONE, UNCLIPPED, epochs=4),
    "and clipped": Algorithm(ONE, CLIPPED, epochs=4),
    "and a value head": Algorithm(VALUES, CLIPPED, epochs=4),
    "and GAE with lambda 0.95": Algorithm(SHORTER, CLIPPED, epochs=4),
    "and whitened advantages": Algorithm(replace(SHORTER, whiten_advantages=True), CLIPPED, epochs=4),
}
CURVES = "reward kl kl_k3 entropy length clip_fraction explained_variance approx_kl gradient_norm".split()


def climb(task: Task, name: str, seed: int, config: PolicyGradientConfig, samples: int) -> dict:
    """One rung with one seed."""
    policy, started = task.new_policy(), time.perf_counter()
    result = train_policy(
        policy,
        task.model,
        task.reward,
        task.tokenizer,
        task.prompts,
        LADDER[name],
        config,
        generator=torch.Generator().manual_seed(seed),
    )
    seconds = time.perf_counter() - started
    found = {key: _short(value) for key, value in task.measure(policy, samples).summary().items()}
    return {
        "rung": name,
        "seed": seed,
        "seconds": round(seconds, 1),
        "stopped": result.stopped,
        "measured": found,
        "curves": _curves(result.history, CURVES),
    }


def ladder(task: Task, seeds: int, config: PolicyGradientConfig, samples: int) -> dict:
    """All rungs with all seeds, and how each differs from the one below it and from the first."""
    runs = []
    for seed in range(seeds):
        for name in LADDER:
            runs.append(climb(task, name, seed, config, samples))
            print(f"{name:>30} seed {seed}: {runs[-1]['measured']}, {runs[-1]['seconds']:.0f} s", flush=True)
    names = list(LADDER)
    differences = []
    for below, name in [*itertools.pairwise(names), *((names[0], name) for name in names[2:])]:
        for metric in ("reward", "gold", "kl"):
            sides = [[r["measured"][metric] for r in runs if r["rung"] == rung] for rung in (name, below)]
            found = over_runs([a - b for a, b in zip(*sides, strict=True)])
            bounds = [None if math.isinf(bound) else _short(bound) for bound in (found.low, found.high)]
            differences.append(
                {
                    "rung": name,
                    "against": below,
                    "metric": metric,
                    "difference": _short(found.value),
                    "interval": bounds,
                    "verdict": found.verdict,
                }
            )
    before = {key: _short(value) for key, value in task.measure(task.model, samples).summary().items()}
    return {
        "steps": config.steps,
        "batch_size": config.batch_size,
        "seeds": seeds,
        "samples": samples,
        "start": before,
        "differences": differences,
        "runs": runs,
    }


def hunt(task: Task, seeds: int, config: PolicyGradientConfig) -> dict:
    """Curves of all patients and of the healthy implementation: name -> a list of runs, metric -> numbers."""
    found: dict[str, list] = {}
    for name in ("healthy", *LETTERS):
        for seed in range(seeds):
            started = time.perf_counter()
            torch.manual_seed(seed)  # dropout draws from the global generator
            history = run(
                patient(name),
                task.new_policy(),
                task.model,
                task.reward,
                task.tokenizer,
                task.prompts,
                config,
                generator=torch.Generator().manual_seed(seed),
                gold=task.gold,
            )
            found.setdefault(name, []).append(_curves(history, [key for key in history[0] if key != "step"]))
            last = {key: round(value, 3) for key, value in history[-1].items()}
            print(f"patient {name} seed {seed}: {last}, {time.perf_counter() - started:.0f} s", flush=True)
    return {"steps": config.steps, "batch_size": config.batch_size, "seeds": seeds, "curves": found}


def _curves(history: list[dict], names: list[str]) -> dict[str, list[float]]:
    return {name: [_short(record[name]) for record in history] for name in names if history and name in history[0]}


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def write(found: dict, target: Path) -> None:
    """Write the results file. A half that was not run stays as it is."""
    kept = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    kept |= {"command": "python tests/benchmarks/ppo_ladder.py --write"} | found
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(kept, separators=(",", ":")).replace('{"rung"', '\n{"rung"') + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["ladder", "hunt"])
    parser.add_argument("--seeds", type=int, default=5, help="of the ladder, at most 10")
    parser.add_argument("--hunt-seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=CONFIG.steps)
    parser.add_argument("--batch-size", type=int, default=CONFIG.batch_size)
    parser.add_argument("--samples", type=int, default=256, help="held-out completions that a rung is measured on")
    parser.add_argument("--write", action="store_true", help="replace data/results/ppo_ladder.json")
    options = parser.parse_args()
    config = replace(CONFIG, steps=options.steps, batch_size=options.batch_size)
    task, found = load_task(own=False), {}
    if options.only != "hunt":
        found["ladder"] = ladder(task, options.seeds, config, options.samples)
    if options.only != "ladder":
        found["hunt"] = hunt(task, options.hunt_seeds, config)
    for row in found.get("ladder", {}).get("differences", []):
        print(
            f"{row['rung']:>30} less {row['against']:<30} {row['metric']:>7} {row['difference']:+.3f} {row['verdict']}"
        )
    if options.write:
        write(found, data_dir() / "results" / "ppo_ladder.json")


if __name__ == "__main__":
    main()
