"""How many labels does a reward model need, and which kind of feedback is worth its time?

A simulated reader with a known taste, and slips, judges reviews that the tiny model wrote. Two experiments, each over
several seeds; a seed changes the questions, the reader's slips and the training:

    curve   accuracy on held-out prompts after so many comparisons
    kinds   the same after equal labelling *seconds* of comparisons, scores, rankings, labels and edits

Every reward model is measured twice: after fitting only its head on an unchanged trunk, and after training all of it
from there. Accuracy is measured against the known probability of each answer (`lessons.label_budgets`).

    python tests/benchmarks/reward_kinds.py --write       five seeds, about a quarter of an hour on one core
    python tests/benchmarks/reward_kinds.py --seeds 2 --sizes 50 200 --sittings 1200

With --write the results go where notebook 03 reads them, data/results/reward_kinds.json.
"""

import argparse
import json
import math
import statistics
import time
from dataclasses import asdict

import torch
from lessons.label_budgets import CONTENDERS, KnownPairs, Pace, Sitting, sitting, write_pool

from rlhf_lab.evaluation import learning_curve, over_runs
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.paths import data_dir
from rlhf_lab.training.reward_head import fit_head
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.world import TASTES, SimulatedRater, load_prompts

TEMPERATURE = 0.3  # of the reader's slips
TRAINING = RewardModelConfig(learning_rate=1e-3, batch_size=16)  # all of the model, from the fitted head


def trained(language_model, tokenizer, said: Sitting, known: KnownPairs, seed: int) -> tuple[float, float]:
    """Accuracy with the head fitted, and with all of the model trained from there."""
    generator, objective = torch.Generator().manual_seed(seed), said.objective
    reward_model = RewardModel.from_language_model(language_model, generator, said.outputs)
    fit_head(reward_model, tokenizer, said.examples, objective=objective)
    head = known.measure(reward_model, tokenizer)
    train_reward_model(reward_model, tokenizer, said.examples, TRAINING, objective=objective, generator=generator)
    return head, known.measure(reward_model, tokenizer)


def curve(language_model, tokenizer, pool, known, taste, sizes, seeds) -> dict:
    """Sizes; for each of them the accuracies of the head and of the whole model, a seed each; the longest training."""
    pairs = sitting("compare", pool, taste, math.inf, temperature=TEMPERATURE).examples
    heads, seconds = {size: [] for size in sizes}, []

    def measure(examples) -> float:
        started = time.perf_counter()
        seed = len(heads[len(examples)])
        head, whole = trained(language_model, tokenizer, Sitting("compare", examples, 0, 0.0), known, seed)
        heads[len(examples)].append(head)
        seconds.append(time.perf_counter() - started)
        print(f"{len(examples):>6} pairs, seed {seed}: head {head:.3f}, whole {whole:.3f}", flush=True)
        return whole

    wholes = learning_curve(measure, pairs, sizes, repeats=seeds)
    return {
        "sizes": list(sizes),
        "head": [rounded(heads[size]) for size in sizes],
        "whole": [rounded(wholes[size]) for size in sizes],
        "seconds_largest": round(max(seconds), 1),
    }


def kinds(language_model, tokenizer, pool, known, taste, sittings, seeds, pace) -> list[dict]:
    """One row per kind of feedback and length of a sitting."""
    rows = []
    for seconds in sittings:
        for kind in CONTENDERS:
            said = [sitting(kind, pool, taste, seconds, pace, seed, temperature=TEMPERATURE) for seed in range(seeds)]
            found = [trained(language_model, tokenizer, each, known, seed) for seed, each in enumerate(said)]
            heads, wholes = zip(*found, strict=True)
            rows.append(
                {
                    "kind": kind,
                    "seconds": seconds,
                    "answers": round(statistics.mean(each.answers for each in said), 1),
                    "head": rounded(heads),
                    "whole": rounded(wholes),
                }
            )
            print(
                f"{kind:>8} for {seconds:.0f} s: {rows[-1]['answers']:.0f} answers, head {over_runs(heads)}", flush=True
            )
    return rows


def rounded(values) -> list[float]:
    return [round(value, 4) for value in values]


def run(options: argparse.Namespace, language_model, tokenizer) -> dict:
    """Both experiments."""
    taste, pace = TASTES[options.taste], Pace()
    pool = write_pool(language_model, tokenizer, load_prompts("train", "review")[: options.prompts], seed=1)
    held_out = load_prompts("heldout", "review")[: options.held_out]
    known = KnownPairs(write_pool(language_model, tokenizer, held_out, seed=2), SimulatedRater(taste, TEMPERATURE))
    started = time.perf_counter()
    return {
        "command": "python tests/benchmarks/reward_kinds.py --write",
        "taste": options.taste,
        "temperature": TEMPERATURE,
        "seeds": options.seeds,
        "held_out_pairs": len(known),
        "ceiling": round(known.ceiling, 4),
        "training": {"learning_rate": TRAINING.learning_rate, "batch_size": TRAINING.batch_size, "epochs": 1},
        "pace": asdict(pace),
        "curve": curve(language_model, tokenizer, pool, known, taste, options.sizes, options.seeds),
        "kinds": kinds(language_model, tokenizer, pool, known, taste, options.sittings, options.seeds, pace),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "threads": torch.get_num_threads(),
    }


def parse(arguments=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 500, 1000, 2000], help="comparisons")
    parser.add_argument("--sittings", type=float, nargs="+", default=[1200.0, 7200.0], help="seconds of labelling")
    parser.add_argument("--prompts", type=int, default=1100, help="that the pool has four completions of")
    parser.add_argument("--held-out", type=int, default=150, help="prompts to measure on, six pairs each")
    parser.add_argument("--taste", default="cheerful", choices=sorted(TASTES))
    parser.add_argument("--write", action="store_true", help="replace data/results/reward_kinds.json")
    return parser.parse_args(arguments)


def main(arguments=None) -> None:
    options = parse(arguments)
    results = run(options, *load_language_model("tiny"))
    print(json.dumps(results, indent=1))
    if options.write:
        target = data_dir() / "results" / "reward_kinds.json"
        target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
