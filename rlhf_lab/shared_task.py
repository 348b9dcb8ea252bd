"""The task that notebooks 05 to 09 share: reviews of Tidewick that a cheerful reader likes to read.

There are two rewards, and the difference between them is half of what those notebooks are about.

    the proxy   a reward model that learned from two thousand comparisons by such a reader, mistakes included. It is
                what the algorithms are given. `data/reward/`, or the one that a learner made in notebook 03.
    the gold    the reader's own taste, a formula. In real life nobody has it; here it says what was gained in truth.

    python -m rlhf_lab.shared_task --write      makes data/reward/ again, in a few minutes on one core
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rlhf_lab.advantages import kl_k1
from rlhf_lab.evaluation import accuracy_ceiling, expected_accuracy
from rlhf_lab.feedback.pairs import PreferencePair, answered_pair
from rlhf_lab.log_probs import completion_log_probs
from rlhf_lab.models import clone, load_language_model
from rlhf_lab.paths import data_dir, home_dir
from rlhf_lab.reward_models import RewardModel
from rlhf_lab.sampling import Rollout, sample
from rlhf_lab.training.reward_model import RewardModelConfig, train_reward_model
from rlhf_lab.training.reward_objectives import PairsWithStrength
from rlhf_lab.world import TASTES, SimulatedRater, Taste, load_prompts, passes_floor

TASTE = "cheerful"
LONGEST = 64  # tokens; a review is cut there (4 in 100 of the starting model's are)
COMPARISONS = 2000  # that the shipped reward model learned from
STRENGTHS = (0.5, 1.5)  # felt differences from which the reader says "clearly" and "much"
TRAINING = RewardModelConfig(learning_rate=2e-3, epochs=2, batch_size=16, final_fraction=0.5, average_last=0.4)
REFERENCE_SAMPLES = 512  # completions of the starting model on which rewards have mean 0 and variance 1


@dataclass(frozen=True)
class Task:
    """A model to start from, prompts, and the two rewards."""

    model: nn.Module  # the starting model, which is also the reference
    tokenizer: object
    reward_model: RewardModel
    taste: Taste
    prompts: tuple[str, ...]  # to train on
    held_out_prompts: tuple[str, ...]  # to measure on
    origin: str  # where the reward model is from, in words

    def new_policy(self) -> nn.Module:
        """A copy of the starting model, to be trained."""
        return clone(self.model).requires_grad_(True)

    def write(self, policy: nn.Module, prompts: Sequence[str], generator: torch.Generator | None = None) -> Rollout:
        """One completion of each prompt."""
        return sample(policy, self.tokenizer, prompts, max_new_tokens=LONGEST, generator=generator)

    def reward(self, rollout: Rollout) -> Tensor:
        """The proxy (B,): 0 and 1 are mean and standard deviation of what the starting model writes."""
        return self.reward_model.score_rollout(rollout)

    def gold(self, rollout: Rollout) -> Tensor:
        """The reader's own taste (B,), in standard deviations of the reviews of the corpus."""
        values = [self.taste.utility(p, c) for p, c in zip(rollout.prompts, rollout.texts, strict=True)]
        return torch.tensor(values, device=rollout.log_probs.device)

    def feed(self, policy: nn.Module, prompts: int = 2, seed: int = 3) -> dict:
        """For a live chart, as `evaluate` of the training loop: what the policy writes now to a few held-out prompts.

        The prompts and the chance are the same each time, so what differs is the policy.
        """
        rollout = self.write(policy, self.held_out_prompts[:prompts], torch.Generator().manual_seed(seed))
        gold = [f"{value:+.1f}" for value in self.gold(rollout).tolist()]
        return {"feed": {"prompt": rollout.prompts, "completion": rollout.texts, "gold reward": gold}}

    def measure(self, policy: nn.Module, samples: int = 256, seed: int = 1) -> "Measured":
        """What a policy writes on held-out prompts, in the same order and by the same chance for every policy."""
        prompts = [self.held_out_prompts[i % len(self.held_out_prompts)] for i in range(samples)]
        rollout = self.write(policy, prompts, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            reference = completion_log_probs(self.model, rollout, piece_tokens=2048)
        return Measured(rollout, self.reward(rollout), self.gold(rollout), kl_k1(rollout.log_probs, reference).sum(1))


@dataclass(frozen=True)
class Measured:
    """B completions on held-out prompts, and what they are worth."""

    rollout: Rollout
    reward: Tensor  # (B,) the proxy
    gold: Tensor  # (B,) the truth
    kl: Tensor  # (B,) k1 of each completion; the mean is the estimate, in nats

    def summary(self) -> dict[str, float]:
        """Means, and what the texts are like."""
        pairs = zip(self.rollout.prompts, self.rollout.texts, strict=True)
        return {
            "reward": float(self.reward.mean()),
            "gold": float(self.gold.mean()),
            "kl": float(self.kl.mean()),
            "decent": sum(passes_floor(prompt, text) for prompt, text in pairs) / len(self.gold),
            "length": float(self.rollout.lengths.float().mean()),
        }


def load_task(own: bool = True) -> Task:
    """The shared task. own: take the reward model that notebook 03 left in the learner's folder, if there is one."""
    model, tokenizer = load_language_model("tiny")
    folder, origin = data_dir() / "reward", "the reward model that ships with the course"
    if own and own_reward_folder().is_dir():
        folder, origin = own_reward_folder(), "your own reward model from notebook 03"
    prompts = tuple(load_prompts("train", "review")), tuple(load_prompts("heldout", "review"))
    return Task(model, tokenizer, RewardModel.load(folder), TASTES[TASTE], *prompts, origin)


def own_reward_folder() -> Path:
    """Where notebook 03 leaves a learner's reward model for this task."""
    return home_dir() / f"reward-{TASTE}"


# --- The reward model that ships ---------------------------------------------------------------------


def compared_pairs(model: nn.Module, tokenizer, count: int, split: str, seed: int = 0):
    """Pairs of the model's own reviews as the reader chose between them, with strengths; and P(this answer), (N,).

    A place is asked about once, as long as there are places. The reader errs as the course's readers do.
    """
    rater = SimulatedRater(TASTES[TASTE], seed=seed, strengths=STRENGTHS)
    generator, prompts = torch.Generator().manual_seed(seed), load_prompts(split, "review")
    prompts = [prompts[i % len(prompts)] for i in range(count)]
    texts = [
        text
        for start in range(0, 2 * count, 512)  # a piece at a time: memory stays small
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
    """The reward model that ships, and how it was made and how right it is."""
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
    parser = argparse.ArgumentParser(prog="python -m rlhf_lab.shared_task", description=__doc__.splitlines()[0])
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
