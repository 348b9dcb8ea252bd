"""How right can the tiny reward model be? Without mistakes in the answers, and with them, for every taste.

Pairs of reviews of Tidewick, written by the town's generator; held-out places to measure on. Two experiments:

    noise-free   readers who never err, as many pairs as it takes. Ten readers, one for each taste, answer every pair,
                 and one reward model with ten outputs learns from all of them. Measured: how often each output agrees
                 with its taste on pairs between which the taste decides
    noisy        readers who err as the course's simulated readers do, 2,000 pairs, a reward model for each taste; once
                 from the choices alone, once with the strength of each (slightly, clearly, much). Measured: the
                 expected agreement with such a reader, against the ceiling, that of the taste itself

    python tests/benchmarks/reward_limits.py --write                         all, about 40 minutes on one core
    python tests/benchmarks/reward_limits.py --only noisy --tastes food      a part; what is in the file already is kept

With --write the results go where notebook 03 reads them, data/results/reward_limits.json, after every model.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from rlhf_lab.evaluation import accuracy_ceiling
from rlhf_lab.feedback.pairs import PreferencePair, answered_pair
from rlhf_lab.models import load_language_model
from rlhf_lab.paths import data_dir
from rlhf_lab.reward_models import RewardModel
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.training.reward_objectives import Pairs, PairsWithStrength
from rlhf_lab.world import TASTES, SimulatedRater, generate_completion, generate_prompt

FILE = data_dir() / "results" / "reward_limits.json"
STRENGTHS = (0.5, 1.5)  # felt differences from which a preference is "clearly" and "much"
NOISE_FREE = RewardModelConfig(learning_rate=2e-3, final_fraction=0.02)
NOISY = RewardModelConfig(learning_rate=2e-3, epochs=2, batch_size=16, final_fraction=0.5, average_last=0.4)


@dataclass(frozen=True)
class ManyAnswers:
    """A pair, and which side each of K readers prefers."""

    prompt: str
    chosen: str  # only names of the two sides here
    rejected: str
    signs: tuple[float, ...]  # (K,) 1: the first, -1: the second, 0: neither


class ManyReaders:
    """Bradley-Terry with an output for each reader."""

    def check(self, examples, names, learning=True) -> None:
        assert len(names) == len(TASTES)

    def losses(self, scores, examples):
        signs = torch.tensor([example.signs for example in examples], device=scores.device)
        return F.softplus(-signs * (scores[:, 0] - scores[:, 1])) * signs.abs()

    def metrics(self, scores, examples):
        signs = torch.tensor([example.signs for example in examples], device=scores.device)
        right = (signs * (scores[:, 0] - scores[:, 1]) > 0)[signs != 0]
        return {"accuracy": float(right.float().mean())}


def written(count: int, split: str, seed: int) -> list[tuple[str, str, str]]:
    """(prompt, one review, another)"""
    rng, found = random.Random(f"{seed} {split}"), []
    while len(found) < count:
        prompt = generate_prompt("review", rng, split)
        left, right = generate_completion(prompt, rng), generate_completion(prompt, rng)
        if left != right:
            found.append((prompt, left, right))
    return found


def felt(taste: str, triple: tuple[str, str, str]) -> float:
    prompt, left, right = triple
    return TASTES[taste].utility(prompt, left) - TASTES[taste].utility(prompt, right)


def differences(model: RewardModel, tokenizer, triples) -> torch.Tensor:
    prompts, left, right = (list(column) for column in zip(*triples, strict=True))
    return model.score_texts(tokenizer, prompts, left) - model.score_texts(tokenizer, prompts, right)


def noise_free(model, tokenizer, pairs: int, held_out: int, seed: int) -> dict:
    """One model for ten readers who never err: agreement of each output with its taste."""
    names = list(TASTES)
    examples = [
        ManyAnswers(*triple, tuple(float(np.sign(felt(taste, triple))) for taste in names))
        for triple in written(pairs, "train", seed)
    ]
    generator = torch.Generator().manual_seed(seed)
    reward_model = RewardModel.from_language_model(model, generator, names)
    started = time.perf_counter()

    def say(record) -> None:
        if record["step"] % 50 == 0:
            print(f"step {record['step']} of {record['total']}: {record['accuracy']:.3f}", flush=True)

    train_reward_model(
        reward_model, tokenizer, examples, NOISE_FREE, objective=ManyReaders(), generator=generator, callback=say
    )
    seconds = time.perf_counter() - started
    test = written(held_out, "heldout", seed)
    found, rows = differences(reward_model, tokenizer, test), {}
    for k, taste in enumerate(names):
        truth = torch.tensor([felt(taste, triple) for triple in test])
        decided = truth != 0
        right = (found[:, k] * truth > 0)[decided].float()
        rows[taste] = {"agreement": round(float(right.mean()), 4), "pairs": int(decided.sum())}
    return {"pairs": pairs, "seconds": round(seconds), "seed": seed, "tastes": rows}


def noisy(model, tokenizer, taste: str, pairs: int, held_out: int, seed: int, with_strength: bool) -> dict:
    """One model for one reader who errs: expected agreement with the reader, and the ceiling."""
    rater, examples = SimulatedRater(TASTES[taste], seed=seed, strengths=STRENGTHS), []
    for prompt, left, right in written(2 * pairs, "train", seed):
        pair = answered_pair(prompt, left, right, rater.compare(prompt, left, right))
        if felt(taste, (prompt, left, right)) == 0 or not isinstance(pair, PreferencePair):
            continue  # the taste says nothing about this pair
        examples.append(pair)
        if len(examples) == pairs:
            break
    objective = PairsWithStrength.for_examples(examples) if with_strength else Pairs()
    generator = torch.Generator().manual_seed(seed)
    reward_model = RewardModel.from_language_model(model, generator)
    started = time.perf_counter()
    train_reward_model(reward_model, tokenizer, examples, NOISY, objective=objective, generator=generator)
    seconds = time.perf_counter() - started
    test = [triple for triple in written(held_out, "heldout", seed) if felt(taste, triple) != 0]
    chances = np.array([rater.probability_left(*triple) for triple in test])
    prefers_left = differences(reward_model, tokenizer, test).numpy() > 0
    return {
        "accuracy": round(float(np.where(prefers_left, chances, 1 - chances).mean()), 4),
        "ceiling": round(accuracy_ceiling(chances), 4),
        "pairs": len(examples),
        "seconds": round(seconds),
    }


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("noise-free", "noisy"))
    parser.add_argument("--tastes", nargs="+", default=list(TASTES), choices=list(TASTES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--pairs", type=int, default=2000, help="of the noisy experiment")
    parser.add_argument("--unlimited", type=int, default=45000, help="pairs of the noise-free experiment")
    parser.add_argument("--held-out", type=int, default=3000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    model, tokenizer = load_language_model("tiny")

    def keep(part: str, value) -> None:
        print(part, json.dumps(value), flush=True)
        if options.write:  # read again: another part may have been written meanwhile
            table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
            table[part] = (table.get(part, {}) | value) if part == "noisy" else value
            FILE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    if options.only != "noisy":
        keep("noise_free", noise_free(model, tokenizer, options.unlimited, options.held_out, options.seeds[0]))
    if options.only != "noise-free":
        for seed in options.seeds:
            for taste in options.tastes:
                for with_strength in (True, False):
                    name = f"{taste}, {'with' if with_strength else 'without'} strength, seed {seed}"
                    found = noisy(model, tokenizer, taste, options.pairs, options.held_out, seed, with_strength)
                    keep("noisy", {name: found})


if __name__ == "__main__":
    main()
