"""Best-of-n on a rollout: which samples are picked, and the examples that rejection sampling learns from.

What it earns and how far it drifts: `objectives/best_of_n.py`. Learning from what was picked is SFT
(`language_model.py`). In a flat list of samples, those of a prompt are neighbours.
"""

import torch
from torch import Tensor

from rlhf_lab.feedback.examples import CompletionExample
from rlhf_lab.models.sampling import Rollout


def best_index_per_prompt(rewards: Tensor, n: int) -> Tensor:
    """Row (B / n,) of the best sample of each prompt; of equals the first. rewards: (B,), n samples of each prompt.

    Samples are drawn independently, so the first of equals is as good a choice as one by chance.
    """
    groups = _groups(rewards, n)
    return groups.argmax(1) + n * torch.arange(len(groups), device=rewards.device)


def random_index_per_prompt(rewards: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """Row (B / n,) of one sample of each prompt by chance: the matched control of `best_index_per_prompt`.

    As many samples are drawn and as many kept. Only the reward has no say.
    """
    count = len(_groups(rewards, n))
    picked = torch.randint(n, (count,), generator=generator)
    return (picked + n * torch.arange(count)).to(rewards.device)


def rejection_sampling_examples(rollout: Rollout, rows: Tensor) -> list[CompletionExample]:
    """The completions of these rows as examples to imitate (rejection sampling fine-tuning: Touvron et al. 2023,
    "Llama 2", section 3.2.3; expert iteration: Anthony et al. 2017).

    A completion that was cut short is left out: training would put an end token behind it, and teach the model to
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
