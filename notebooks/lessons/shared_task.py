"""The task that notebooks 05 to 09 share: reviews of Tidewick that a cheerful reader likes to read.

There are two rewards, and the difference between them is half of what those notebooks are about.

    the proxy   a reward model trained on two thousand comparisons by such a reader, mistakes included. The algorithms
                maximise this one. It is in `data/reward/`, or the one that the learner made in notebook 03.
    the gold    the reader's own taste, a formula. In real life nobody has it; here it shows the true improvement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from rlhf_lab.models.loading import check_vocabulary, load_language_model, trainable_copy
from rlhf_lab.models.log_probs import completion_log_probs
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.objectives.kl import kl_k1
from rlhf_lab.paths import data_dir, home_dir
from rlhf_lab.world import TASTES, Taste, load_prompts, passes_floor

TASTE = "cheerful"
LONGEST = 64  # tokens; longer reviews are cut off (4 in 100 of the starting model's)


@dataclass(frozen=True)
class Task:
    """A model to start from, prompts, and the two rewards."""

    model: nn.Module  # the starting model, which is also the reference
    tokenizer: object
    reward_model: RewardModel
    taste: Taste
    prompts: tuple[str, ...]  # to train on
    held_out_prompts: tuple[str, ...]  # to measure on
    origin: str  # where the reward model comes from, in words

    def new_policy(self) -> nn.Module:
        """A copy of the starting model, to be trained."""
        return trainable_copy(self.model)

    def write(self, policy: nn.Module, prompts: Sequence[str], generator: torch.Generator | None = None) -> Rollout:
        """One completion of each prompt."""
        return sample(policy, self.tokenizer, prompts, max_new_tokens=LONGEST, generator=generator)

    def reward(self, rollout: Rollout) -> Tensor:
        """The proxy (B,), scaled to mean 0 and standard deviation 1 on the starting model's texts."""
        return self.reward_model.score_rollout(rollout)

    def gold(self, rollout: Rollout) -> Tensor:
        """The reader's own taste (B,), in standard deviations of the reviews of the corpus."""
        values = [self.taste.utility(p, c) for p, c in zip(rollout.prompts, rollout.texts, strict=True)]
        return torch.tensor(values, device=rollout.log_probs.device)

    def feed(self, policy: nn.Module, prompts: int = 2, seed: int = 3) -> dict:
        """What the policy now writes for a few held-out prompts. Pass it to the training loop as `evaluate`.

        The prompts and the seed stay the same, so only the policy makes the difference.
        """
        rollout = self.write(policy, self.held_out_prompts[:prompts], torch.Generator().manual_seed(seed))
        gold = [f"{value:+.1f}" for value in self.gold(rollout).tolist()]
        return {"feed": {"prompt": rollout.prompts, "completion": rollout.texts, "gold reward": gold}}

    def measure(self, policy: nn.Module, samples: int = 256, seed: int = 1) -> "Measured":
        """Sample on held-out prompts and measure, with the same prompts, order and seed for every policy."""
        prompts = [self.held_out_prompts[i % len(self.held_out_prompts)] for i in range(samples)]
        rollout = self.write(policy, prompts, torch.Generator().manual_seed(seed))
        with torch.no_grad():
            reference = completion_log_probs(self.model, rollout, micro_batch_tokens=2048)
        return Measured(rollout, self.reward(rollout), self.gold(rollout), kl_k1(rollout.log_probs, reference).sum(1))


@dataclass(frozen=True)
class Measured:
    """B completions on held-out prompts, with their rewards and KL."""

    rollout: Rollout
    reward: Tensor  # (B,) the proxy
    gold: Tensor  # (B,) the true reward
    kl: Tensor  # (B,) k1 of each completion; the mean estimates the KL, in nats

    def summary(self) -> dict[str, float]:
        """Mean rewards and KL, and what the texts are like."""
        pairs = zip(self.rollout.prompts, self.rollout.texts, strict=True)
        return {
            "reward": float(self.reward.mean()),
            "gold": float(self.gold.mean()),
            "kl": float(self.kl.mean()),
            "decent": sum(passes_floor(prompt, text) for prompt, text in pairs) / len(self.gold),
            "length": float(self.rollout.lengths.float().mean()),
        }


def load_task(own: bool = True) -> Task:
    """The shared task.

    own: take the reward model that notebook 03 left in the learner's folder, if there is one and it can be read.
    `Task.origin` says which one it is, and why.
    """
    model, tokenizer = load_language_model("tiny")
    reward_model, origin = None, "the reward model that ships with the course"
    if own and own_reward_folder().is_dir():
        try:
            reward_model, origin = _own_reward_model(model), "your own reward model from notebook 03"
        except (OSError, ValueError):
            origin += f", because your own in {own_reward_folder()} can't be read (make it again in notebook 03)"
    reward_model = reward_model or RewardModel.load(data_dir() / "reward")
    prompts = tuple(load_prompts("train", "review")), tuple(load_prompts("heldout", "review"))
    return Task(model, tokenizer, reward_model, TASTES[TASTE], *prompts, origin)


def _own_reward_model(model: nn.Module) -> RewardModel:
    """The learner's reward model; ValueError where it can't judge what `model` writes for this task."""
    reward_model = RewardModel.load(own_reward_folder())
    check_vocabulary(reward_model.trunk, len(model.get_input_embeddings().weight) - 1)
    if len(reward_model.names) != 1:
        raise ValueError(
            f"The task needs one reward, and the model in {own_reward_folder()} gives {reward_model.names}."
        )
    return reward_model


def own_reward_folder() -> Path:
    """Where notebook 03 saves the learner's reward model for this task."""
    return home_dir() / f"reward-{TASTE}"
