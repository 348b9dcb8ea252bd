"""How fast a reward model trains, and how accurate it is: the tiny model, pairs of reviews, a simulated rater.

A rater with a known taste, who makes mistakes, chooses between two reviews of one place. So we know the probability of
every answer, and how often the best possible model would agree.

    python tests/benchmarks/reward_model.py                     2,000 pairs, one epoch; then the head on 16 ratings
    python tests/benchmarks/reward_model.py --pairs 300 --threads 1

Targets on two cores: 2,000 pairs in under 60 seconds, the head from 16 ratings in under 3 seconds.
"""

import argparse
import json
import random
import time

import numpy as np
import torch

from rlhf_lab.evaluation import (
    accuracy_ceiling,
    brier_floor,
    brier_score,
    calibration_error_interval,
    confidence_and_correct,
    pair_accuracy,
)
from rlhf_lab.feedback.pairs import PreferencePair
from rlhf_lab.models.loading import load_language_model
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.training.reward_head import fit_head
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.world import TASTES, SimulatedRater, generate_completion, generate_prompt

FEW = 16  # ratings for the fit of the head


def rated_pairs(count: int, taste: str, split: str, seed: int) -> tuple[list[PreferencePair], np.ndarray]:
    """Pairs of reviews as the rater answered, and P(the chosen one wins) as this rater answers, (count,)."""
    rng, rater = random.Random(f"{seed} {split}"), SimulatedRater(TASTES[taste], seed=seed)
    pairs, chances = [], []
    while len(pairs) < count:
        prompt = generate_prompt("review", rng, split)
        left, right = generate_completion(prompt, rng), generate_completion(prompt, rng)
        chance = rater.probability_left(prompt, left, right)
        answer = rater.compare(prompt, left, right)
        if answer not in ("left", "right") or left == right:
            continue
        chosen, rejected = (left, right) if answer == "left" else (right, left)
        pairs.append(PreferencePair(prompt, chosen, rejected, prompt))
        chances.append(chance if answer == "left" else 1 - chance)
    return pairs, np.array(chances)


def differences(model: RewardModel, tokenizer, pairs: list[PreferencePair]) -> torch.Tensor:
    """Chosen minus rejected reward, (N,)."""
    prompts = [pair.prompt for pair in pairs]
    chosen = model.score_texts(tokenizer, prompts, [pair.chosen for pair in pairs])
    return chosen - model.score_texts(tokenizer, prompts, [pair.rejected for pair in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=500)
    parser.add_argument("--taste", default="cheerful", choices=sorted(TASTES))
    parser.add_argument("--threads", type=int, default=None, help="of PyTorch; by default its own choice")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    model, tokenizer = load_language_model("tiny")
    pairs, _ = rated_pairs(options.pairs, options.taste, "train", options.seed)
    held_out, chances = rated_pairs(options.held_out, options.taste, "heldout", options.seed)

    judge = RewardModel.from_language_model(model, torch.Generator().manual_seed(options.seed))
    started = time.perf_counter()
    result = train_reward_model(
        judge, tokenizer, pairs, RewardModelConfig(), generator=torch.Generator().manual_seed(options.seed)
    )
    seconds = time.perf_counter() - started
    found = differences(judge, tokenizer, held_out)
    calibration = calibration_error_interval(*confidence_and_correct(found))

    few = RewardModel.from_language_model(model, torch.Generator().manual_seed(options.seed))
    fit = fit_head(few, tokenizer, pairs[:FEW])
    report = {
        "threads": torch.get_num_threads(),
        "pairs": len(pairs),
        "seconds": round(seconds, 2),
        "last_training_loss": round(result.last["loss"], 3),
        "held_out_accuracy": str(pair_accuracy(found)),
        "accuracy_ceiling": round(accuracy_ceiling(chances), 3),
        "brier_score": round(brier_score(torch.sigmoid(found), np.ones(len(found))), 4),
        "brier_floor": round(brier_floor(chances), 4),
        "calibration_error": str(calibration),
        "head_ratings": FEW,
        "head_seconds": round(fit.seconds, 3),
        "head_held_out_accuracy": str(pair_accuracy(differences(few, tokenizer, held_out))),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
