"""Makes the reward model that ships with the course, the proxy of notebooks 04 to 09.

python data/make/reward_model.py            prints its accuracy; a few minutes on one core
python data/make/reward_model.py --write    also replaces data/reward/
"""

import argparse
import json
import time
from collections.abc import Sequence

import torch
from lessons.shared_task import LONGEST, TASTE
from torch import nn

from rlhf_lab.evaluation import accuracy_ceiling, expected_accuracy
from rlhf_lab.feedback.pairs import PreferencePair, answered_pair
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import sample
from rlhf_lab.paths import data_dir
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.training.reward_objectives import PairsWithStrength
from rlhf_lab.world import TASTES, SimulatedRater, load_prompts

COMPARISONS = 2000  # number of training comparisons
STRENGTHS = (0.5, 1.5)  # the felt differences at which "clearly" and "much" better begin
TRAINING = RewardModelConfig(learning_rate=2e-3, epochs=2, batch_size=16, final_fraction=0.5, average_last=0.4)
REFERENCE_SAMPLES = 512  # completions of the starting model that rewards are standardised on


def compared_pairs(model: nn.Module, tokenizer, count: int, split: str, seed: int = 0):
    """The reader's choices between pairs of the model's own reviews, with strengths; and P(this answer), (N,).

    Each place is asked about once while there are others. The reader makes mistakes like all of the course's readers.
    """
    rater = SimulatedRater(TASTES[TASTE], seed=seed, strengths=STRENGTHS)
    generator, prompts = torch.Generator().manual_seed(seed), load_prompts(split, "review")
    prompts = [prompts[i % len(prompts)] for i in range(count)]
    texts = [
        text
        for start in range(0, 2 * count, 512)  # in pieces, to save memory
        for text in sample(
            model,
            tokenizer,
            [prompt for prompt in prompts for _ in "ab"][start : start + 512],
            max_new_tokens=LONGEST,
            generator=generator,
        ).texts
    ]
    pairs, chances = [], []
    for prompt, left, right in zip(prompts, texts[::2], texts[1::2], strict=True):
        pair = answered_pair(prompt, left, right, rater.compare(prompt, left, right))
        if isinstance(pair, PreferencePair):
            pairs.append(pair)
            chances.append(rater.probability_left(prompt, pair.chosen, pair.rejected))
    return pairs, torch.tensor(chances)


def make_reward_model(model: nn.Module, tokenizer, seed: int = 0) -> tuple[RewardModel, dict]:
    """The reward model that ships, and a report of how it was made and how accurate it is."""
    pairs, _ = compared_pairs(model, tokenizer, COMPARISONS, "train", seed)
    held_out, chances = compared_pairs(model, tokenizer, 500, "heldout", seed)
    generator = torch.Generator().manual_seed(seed)
    reward_model = RewardModel.from_language_model(model, generator)
    objective = PairsWithStrength.for_examples(pairs)
    started = time.perf_counter()
    train_reward_model(reward_model, tokenizer, pairs, TRAINING, objective=objective, generator=generator)
    seconds = time.perf_counter() - started
    prompts = load_prompts("train", "review")[-REFERENCE_SAMPLES:]
    reference = sample(model, tokenizer, prompts, max_new_tokens=LONGEST, generator=torch.Generator().manual_seed(seed))
    reward_model.normalise(reward_model.score_rollout(reference))
    texts = [pair.prompt for pair in held_out]
    chosen = reward_model.score_texts(tokenizer, texts, [pair.chosen for pair in held_out])
    rejected = reward_model.score_texts(tokenizer, texts, [pair.rejected for pair in held_out])
    return reward_model, {
        "taste": TASTE,
        "comparisons": len(pairs),
        "seed": seed,
        "seconds": round(seconds, 1),
        "held_out_accuracy": round(expected_accuracy(chosen - rejected, chances), 3),
        "accuracy_ceiling": round(accuracy_ceiling(chances), 3),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace data/reward/")
    options = parser.parse_args(arguments)
    model, tokenizer = load_language_model("tiny")
    reward_model, report = make_reward_model(model, tokenizer)
    print(json.dumps(report, indent=2))
    if options.write:
        folder = reward_model.save(data_dir() / "reward", tokenizer)
        (folder / "training.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
