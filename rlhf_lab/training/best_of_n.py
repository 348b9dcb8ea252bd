"""Best-of-n on a rollout: pick the best samples, and turn them into examples for rejection sampling.

`objectives/best_of_n.py` computes how much reward this gains and how far it drifts. Training on the picked samples is
SFT (`language_model.py`). In a flat list of samples, those of one prompt are neighbours.
"""

import torch
from torch import Tensor

from rlhf_lab.feedback.examples import CompletionExample
from rlhf_lab.models.sampling import Rollout


def best_index_per_prompt(rewards: Tensor, n: int) -> Tensor:
    """Row (B / n,) of the best sample of each prompt. rewards: (B,), n samples of each prompt.

    In a tie the first one wins. That is as good as a random choice, because samples are drawn independently.
    """
    groups = _groups(rewards, n)
    return groups.argmax(1) + n * torch.arange(len(groups), device=rewards.device)


def random_index_per_prompt(rewards: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """Row (B / n,) of one random sample of each prompt: the matched control of `best_index_per_prompt`.

    It draws and keeps the same numbers of samples, but ignores the reward.
    """
    count = len(_groups(rewards, n))
    picked = torch.randint(n, (count,), generator=generator)
    return (picked + n * torch.arange(count)).to(rewards.device)


def rejection_sampling_examples(rollout: Rollout, rows: Tensor) -> list[CompletionExample]:
    """The completions of these rows as examples to imitate (rejection sampling fine-tuning: Touvron et al. 2023,
    "Llama 2", section 3.2.3; expert iteration: Anthony et al. 2017).

    Completions that were cut short are left out. Training would add an end token to them, and so teach the model to
    stop in the middle of a sentence.
    """
    ended = rollout.ended.tolist()
    return [
        CompletionExample(rollout.prompts[i], rollout.texts[i], rollout.prompts[i]) for i in rows.tolist() if ended[i]
    ]


def _groups(rewards: Tensor, n: int) -> Tensor:
    """Rewards (B,) as (B / n, n)."""
    if n < 1 or rewards.ndim != 1 or len(rewards) == 0 or len(rewards) % n:
        raise ValueError(
            f"Expected the rewards of n = {n} samples for each prompt, one row of numbers; got the shape"
            f" {tuple(rewards.shape)}."
        )
    return rewards.reshape(-1, n)
