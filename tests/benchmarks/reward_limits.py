"""How accurate can the tiny reward model be, for every taste, with and without mistakes in the answers?

Pairs of reviews of Tidewick, written by the town's generator; held-out places to measure on. Three experiments:

    noise-free   readers who never err, as many pairs as it takes. Ten readers, one for each taste, answer every pair,
                 and one reward model with ten outputs learns from all of them. (With --tastes only some readers are
                 there. The hardest taste, vivid, has a model to itself.) Measured: how often each output agrees with
                 its taste on pairs between which the taste decides
    noisy        readers who err as the course's simulated readers do, 2,000 pairs, a reward model for each taste; once
                 from the choices alone, once with the strength of each (slightly, clearly, much). Measured: the
                 expected agreement with such a reader, against the ceiling, that of the taste itself
    prepared     the same readers and answers with strengths, but the trunk has first learned from other people:
                 strangers who err as much and like mixtures of things, each with a head of its own (preference model
                 pretraining, Askell et al. 2021, section 4). None of them has the reader's taste, but together they
                 know the words

    python tests/benchmarks/reward_limits.py --write                         all, about 80 minutes on one core
    python tests/benchmarks/reward_limits.py --only noise-free --tastes vivid --write
    python tests/benchmarks/reward_limits.py --only noisy --tastes food      a part; what is in the file already is kept
    python tests/benchmarks/reward_limits.py --only prepared --seeds 1 2 --write      other strangers, answers and tests

With --write the results go where notebook 03 reads them, data/results/reward_limits.json, after every model.
"""

import argparse
import copy
import json
import math
import random
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from rlhf_lab.evaluation import accuracy_ceiling, expected_accuracy
from rlhf_lab.feedback.pairs import PreferencePair, answered_pair
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.paths import data_dir
from rlhf_lab.training.reward_head import fit_head
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.training.reward_objectives import Pairs, PairsWithStrength, accuracy
from rlhf_lab.world import TASTES, SimulatedRater, generate_completion, generate_prompt
from rlhf_lab.world.tastes import SCALES, Taste

FILE = data_dir() / "results" / "reward_limits.json"
STRENGTHS = (0.5, 1.5)  # felt differences from which a preference is "clearly" and "much"
NOISE_FREE = RewardModelConfig(learning_rate=2e-3, final_fraction=0.02)
STRANGER_SEED = 1000  # so that the strangers read pairs that nobody else reads
NOISY = RewardModelConfig(learning_rate=2e-3, epochs=2, batch_size=16, final_fraction=0.5, average_last=0.4)
PREPARED = replace(NOISY, learning_rate=5e-4)  # small, to refine what the trunk knows, not replace it


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
        assert all(len(example.signs) == len(names) for example in examples)

    def losses(self, scores, examples):
        signs = torch.tensor([example.signs for example in examples], device=scores.device)
        return F.softplus(-signs * (scores[:, 0] - scores[:, 1])) * signs.abs()

    def metrics(self, scores, examples):
        signs = torch.tensor([example.signs for example in examples], device=scores.device)
        right = (signs * (scores[:, 0] - scores[:, 1]) > 0)[signs != 0]
        return {"accuracy": float(right.float().mean())}


@dataclass(frozen=True)
class OneReadersPair(PreferencePair):
    """A pair, and which of many readers answered."""

    reader: int = 0


class HeadOfTheReader(PairsWithStrength):
    """Pairs with strengths, where each reader has a head, and only that head learns from an answer."""

    def losses(self, scores, examples):
        answered = F.one_hot(self._readers(scores, examples), scores.shape[2])  # (N, K)
        return super().losses(scores, examples) * answered

    def metrics(self, scores, examples):
        difference = (scores[:, 0] - scores[:, 1]).gather(1, self._readers(scores, examples)[:, None])
        return {"accuracy": accuracy(difference)}

    def _readers(self, scores, examples):
        return torch.tensor([pair.reader for pair in examples], device=scores.device)


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


def strangers(count: int, seed: int) -> list[SimulatedRater]:
    """People with slips, each liking a mixture of everything that a taste of ours may be about.

    Their likings are the rows of random rotations, so each nine of them together care equally about all nine things.
    """
    rng, n = np.random.default_rng(seed), len(SCALES)
    weights = np.concatenate([np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(math.ceil(count / n))])[:count]
    mixtures = [Taste(f"stranger {k}", "", dict(zip(SCALES, row, strict=True))) for k, row in enumerate(weights)]
    return [SimulatedRater(mixture, seed=seed + k, strengths=STRENGTHS) for k, mixture in enumerate(mixtures)]


def differences(model: RewardModel, tokenizer, triples) -> torch.Tensor:
    prompts, left, right = (list(column) for column in zip(*triples, strict=True))
    return model.score_texts(tokenizer, prompts, left) - model.score_texts(tokenizer, prompts, right)


def noise_free(model, tokenizer, names: list[str], pairs: int, held_out: int, seed: int) -> dict:
    """One model with one head per reader; the readers never err. Gives each output's agreement with its taste."""
    examples = [
        ManyAnswers(*triple, tuple(float(np.sign(felt(taste, triple))) for taste in names))
        for triple in written(pairs, "train", seed)
    ]
    generator = torch.Generator().manual_seed(seed)
    reward_model = RewardModel.from_language_model(model, generator, names)
    started = time.perf_counter()
    train_reward_model(
        reward_model, tokenizer, examples, NOISE_FREE, objective=ManyReaders(), generator=generator, callback=say
    )
    seconds = time.perf_counter() - started
    test = written(held_out, "heldout", seed)
    found = differences(reward_model, tokenizer, test).reshape(len(test), len(names))
    how, rows = {"learned_from": pairs, "heads": len(names), "seconds": round(seconds), "seed": seed}, {}
    for k, taste in enumerate(names):
        truth = torch.tensor([felt(taste, triple) for triple in test])
        decided = truth != 0
        right = (found[:, k] * truth > 0)[decided].float()
        rows[taste] = {"agreement": round(float(right.mean()), 4), "pairs": int(decided.sum())} | how
    return rows


def asked(taste: str, pairs: int, seed: int) -> list[PreferencePair]:
    """What a reader who errs says about pairs between which the taste decides."""
    rater, answers = SimulatedRater(TASTES[taste], seed=seed, strengths=STRENGTHS), []
    for triple in written(2 * pairs, "train", seed):
        pair = answered_pair(*triple, rater.compare(*triple))
        if felt(taste, triple) != 0 and isinstance(pair, PreferencePair):
            answers.append(pair)
    return answers[:pairs]


def agreement(reward_model: RewardModel, tokenizer, taste: str, held_out: int, seed: int) -> dict:
    """Expected agreement with a reader who errs, and the ceiling."""
    rater = SimulatedRater(TASTES[taste])
    test = [triple for triple in written(held_out, "heldout", seed) if felt(taste, triple) != 0]
    chances = [rater.probability_left(*triple) for triple in test]
    found = differences(reward_model, tokenizer, test)
    return {"accuracy": round(expected_accuracy(found, chances), 4), "ceiling": round(accuracy_ceiling(chances), 4)}


def noisy(model, tokenizer, taste: str, pairs: int, held_out: int, seed: int, with_strength: bool) -> dict:
    """One model for one reader who errs."""
    examples = asked(taste, pairs, seed)
    objective = PairsWithStrength.for_examples(examples) if with_strength else Pairs()
    generator, started = torch.Generator().manual_seed(seed), time.perf_counter()
    reward_model = RewardModel.from_language_model(model, generator)
    train_reward_model(reward_model, tokenizer, examples, NOISY, objective=objective, generator=generator)
    seconds = round(time.perf_counter() - started)
    found = agreement(reward_model, tokenizer, taste, held_out, seed)
    return found | {"pairs": len(examples), "seconds": seconds}


def read_by_strangers(model, tokenizer, count: int, each: int, seed: int) -> tuple[RewardModel, float]:
    """One model for many people who err and like mixtures of things, each pair answered by one of them; its seconds."""
    people, examples = strangers(count, seed), []
    for number, triple in enumerate(written(count * each, "train", seed)):
        who = number % count
        pair = answered_pair(*triple, people[who].compare(*triple))
        if isinstance(pair, PreferencePair):
            examples.append(OneReadersPair(**asdict(pair), reader=who))
    objective = HeadOfTheReader.for_examples(examples)
    generator, started = torch.Generator().manual_seed(seed), time.perf_counter()
    reward_model = RewardModel.from_language_model(model, generator, [rater.taste.name for rater in people])
    train_reward_model(
        reward_model, tokenizer, examples, NOISE_FREE, objective=objective, generator=generator, callback=say
    )
    return reward_model, time.perf_counter() - started


def prepared(trunk, tokenizer, taste: str, pairs: int, held_out: int, seed: int) -> dict:
    """The same reader, answers and strengths, from the trunk that knows the strangers: first a head, then all."""
    examples = asked(taste, pairs, seed)
    objective = PairsWithStrength.for_examples(examples)
    generator, started = torch.Generator().manual_seed(seed), time.perf_counter()
    reward_model = RewardModel(copy.deepcopy(trunk), generator)
    fit_head(reward_model, tokenizer, examples, objective=objective)
    head_only = agreement(reward_model, tokenizer, taste, held_out, seed)["accuracy"]
    train_reward_model(reward_model, tokenizer, examples, PREPARED, objective=objective, generator=generator)
    seconds = round(time.perf_counter() - started)
    found = agreement(reward_model, tokenizer, taste, held_out, seed)
    return found | {"head_only": head_only, "pairs": len(examples), "seconds": seconds}


def say(record: dict) -> None:
    if record["step"] % 50 == 0:
        print(f"step {record['step']} of {record['total']}: {record['accuracy']:.3f}", flush=True)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("noise-free", "noisy", "prepared"))
    parser.add_argument("--tastes", nargs="+", default=list(TASTES), choices=list(TASTES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--pairs", type=int, default=2000, help="that each reader answers, with slips")
    parser.add_argument("--unlimited", type=int, default=60000, help="pairs of the noise-free experiment")
    parser.add_argument("--strangers", type=int, default=18, help="people that the prepared trunk has learned from")
    parser.add_argument("--each", type=int, default=4000, help="pairs that each stranger answers")
    parser.add_argument("--held-out", type=int, default=3000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    model, tokenizer = load_language_model("tiny")

    def keep(part: str, value) -> None:
        print(part, json.dumps(value), flush=True)
        if options.write:  # read again: another part may have been written meanwhile
            table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
            table[part] = table.get(part, {}) | value
            FILE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    if options.only in (None, "noise-free"):
        found = noise_free(model, tokenizer, options.tastes, options.unlimited, options.held_out, options.seeds[0])
        keep("noise_free", found)
    if options.only in (None, "noisy"):
        for seed in options.seeds:
            for taste in options.tastes:
                for with_strength in (True, False):
                    name = f"{taste}, {'with' if with_strength else 'without'} strength, seed {seed}"
                    found = noisy(model, tokenizer, taste, options.pairs, options.held_out, seed, with_strength)
                    keep("noisy", {name: found})
    if options.only in (None, "prepared"):
        for seed in options.seeds:
            well_read, seconds = read_by_strangers(
                model, tokenizer, options.strangers, options.each, STRANGER_SEED + seed
            )
            how = {"strangers": options.strangers, "pairs_each": options.each, "seconds": round(seconds)}
            keep("prepared", {f"trunk, seed {seed}": how})
            for taste in options.tastes:
                found = prepared(well_read.trunk, tokenizer, taste, options.pairs, options.held_out, seed)
                keep("prepared", {f"{taste}, seed {seed}": found})


if __name__ == "__main__":
    main()
