"""Does it pay to choose which pairs are labelled? Random against active choice, over seeds, tastes and noise.

The pairs are reviews by the tiny model. A reward model's head is fitted to labels on frozen features of the language
model. Its score is how often it agrees with the rater's taste (without the rater's slips) on pairs of held-out prompts.
A seed draws the rater's answers, the pool of pairs, and the first labels. All methods share these, so their differences
are paired by seed. Each method is compared with random choice by its mean accuracy over the whole curve. If the
interval includes zero, the result is called inconclusive.

    python tests/benchmarks/active_labels.py --write                  20 seeds, a few minutes on one core
    python tests/benchmarks/active_labels.py --seeds 5 --tastes cheerful

With --write the curves go to data/results/active_labels.json, which notebook 04 shows.
"""

import argparse
import json
import statistics
import time
from itertools import combinations, pairwise

import torch
from lessons.active_labels import CHOICES, label_curve
from lessons.shared_task import LONGEST

from rlhf_lab.evaluation import accuracy_ceiling, paired_difference
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.tokens import encode_completions, encode_prompts
from rlhf_lab.paths import data_dir
from rlhf_lab.world import TASTES, load_prompts

PROMPTS = {"train": 400, "heldout": 200}
COMPLETIONS = 4  # of each prompt: six pairs
POOL = 1200  # pairs that may be asked, drawn anew for each seed
SIZES = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
TASTES_ASKED = ("cheerful", "vivid", "polite")
TEMPERATURES = (0.3, 1.0)  # of the rater: the default, and one who errs often


class Reviews:
    """Reviews by the tiny model, their features, and all pairs of one prompt."""

    def __init__(self, model, tokenizer, split: str):
        prompts = [prompt for prompt in load_prompts(split, "review")[: PROMPTS[split]] for _ in range(COMPLETIONS)]
        generator = torch.Generator().manual_seed(0)
        rollout = sample(model, tokenizer, prompts, max_new_tokens=LONGEST, generator=generator)
        ids = zip(encode_prompts(tokenizer, prompts), encode_completions(tokenizer, rollout.texts), strict=True)
        self.prompts, self.texts = prompts, rollout.texts
        self.features = RewardModel.from_language_model(model).features_of([p + c for p, c in ids]).double()
        starts = range(0, len(prompts), COMPLETIONS)
        self.pairs = torch.tensor([(s + i, s + j) for s in starts for i, j in combinations(range(COMPLETIONS), 2)])

    def difference(self, of_texts: torch.Tensor) -> torch.Tensor:
        """First minus second text of each pair, for numbers (N,) or features (N, F) of the texts."""
        return of_texts[self.pairs[:, 0]] - of_texts[self.pairs[:, 1]]

    def utilities(self, taste: str) -> torch.Tensor:
        pairs = zip(self.prompts, self.texts, strict=True)
        return torch.tensor([TASTES[taste].utility(prompt, text) for prompt, text in pairs]).double()


def curves(train: Reviews, held_out: Reviews, taste: str, temperature: float, seeds: range) -> dict:
    """{method: one curve per seed} for one rater, and the share of her answers that a perfect model predicts."""
    mean, deviation = train.features.mean(0), train.features.std(0)
    x, test = (r.difference((r.features - mean) / deviation) for r in (train, held_out))
    logits, truth = (
        train.difference(train.utilities(taste)) / temperature,
        held_out.difference(held_out.utilities(taste)),
    )
    decided = truth != 0

    def measure(fit) -> float:
        return float(((test[decided] @ fit.weight > 0) == (truth[decided] > 0)).double().mean())

    found: dict[str, list] = {name: [] for name in CHOICES}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        answers = torch.rand(len(logits), generator=generator) < torch.sigmoid(logits)
        rows = torch.randperm(len(x), generator=generator)[:POOL]
        for name, choose in CHOICES.items():
            fresh = torch.Generator().manual_seed(seed)  # the same first labels for all
            found[name].append(label_curve(choose, x[rows], answers[rows], measure, SIZES, fresh))
    return found | {"ceiling": accuracy_ceiling(torch.sigmoid(truth / temperature))}


def labels_for(curve: list[float], accuracy: float) -> float:
    """How many labels a curve needs to reach an accuracy for good, interpolated between two sizes."""
    if curve[0] >= accuracy:
        return float(SIZES[0])
    for (few, low), (many, high) in pairwise(zip(SIZES, curve, strict=True)):
        if high >= accuracy:
            return few + (many - few) * (accuracy - low) / (high - low)
    return float("inf")


def summarise(found: dict) -> list[dict]:
    """For each method: the mean curve, and its difference from random choice, paired by seed."""
    rows = []
    for name in CHOICES:
        area = [statistics.mean(curve) for curve in found[name]]
        mean = [statistics.mean(column) for column in zip(*found[name], strict=True)]
        row = {"choice": name, "mean": [round(a, 4) for a in mean]}
        row["by_seed"] = [[round(a, 4) for a in curve] for curve in found[name]]
        if name != "random":
            gain = paired_difference(area, [statistics.mean(curve) for curve in found["random"]])
            reference = [statistics.mean(column) for column in zip(*found["random"], strict=True)]
            needed = labels_for(mean, reference[-1])
            row |= {
                "gain": round(gain.value, 4),
                "interval": [round(bound, 4) if abs(bound) < 1 else None for bound in (gain.low, gain.high)],
                "verdict": gain.verdict,
                # to be as good as random choice is with all labels
                "labels_needed": round(needed) if needed < float("inf") else None,
            }
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tastes", nargs="*", default=list(TASTES_ASKED), choices=list(TASTES))
    parser.add_argument("--temperatures", nargs="*", type=float, default=list(TEMPERATURES))
    parser.add_argument("--seeds", type=int, default=20, help="ten at least: fewer give no interval")
    parser.add_argument("--write", action="store_true", help="replace data/results/active_labels.json")
    options = parser.parse_args()
    started = time.perf_counter()
    model, tokenizer = load_language_model("tiny")
    train, held_out = Reviews(model, tokenizer, "train"), Reviews(model, tokenizer, "heldout")
    raters = []
    for taste in options.tastes:
        for temperature in options.temperatures:
            found = curves(train, held_out, taste, temperature, range(options.seeds))
            rows = summarise(found)
            raters.append(
                {"taste": taste, "temperature": temperature, "choices": rows}
                | {"ceiling_of_answers": round(found["ceiling"], 4)}
            )
            for row in rows:
                words = {k: row[k] for k in ("gain", "interval", "verdict", "labels_needed") if k in row}
                first, last = row["mean"][0], row["mean"][-1]
                print(f"{taste:>9} {temperature} {row['choice']:>12} {first:.3f} to {last:.3f} {words}")
    table = {
        "command": "python tests/benchmarks/active_labels.py --write",
        "seeds": options.seeds,
        "sizes": list(SIZES),
        "pool": POOL,
        "held_out_pairs": len(held_out.pairs),
        "seconds": round(time.perf_counter() - started),
        "raters": raters,
    }
    if options.write:
        target = data_dir() / "results" / "active_labels.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(table) + "\n", encoding="utf-8")
    print(f"{table['seconds']} seconds")


if __name__ == "__main__":
    main()
