"""Policy-gradient algorithms. Each is a combination of three choices.

    advantage   how the rewards of a rollout become an advantage for each token
    surrogate   which function of the new log-probabilities is minimised, and how it is averaged over tokens
    kl_in       where drifting from the reference is penalised: in the reward, in the loss, or nowhere

The loop in `policy_gradient.py` does everything else, and is the same for all algorithms. Those with a name in the
literature are defined at the end of this file, a few lines each. To make a new one, combine the choices differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.advantages import (
    batch_mean_baseline,
    explained_variance,
    gae,
    group_centred,
    group_relative,
    leave_one_out,
    token_rewards,
)
from rlhf_lab.objectives.kl import kl_k1, kl_k3
from rlhf_lab.objectives.masked import whiten
from rlhf_lab.objectives.policy import (
    clipped_surrogate,
    completion_ratio,
    ppo_value_loss,
    probability_ratio,
    score_function_surrogate,
    sequence_mean_token_mean,
    sequence_mean_token_sum,
    token_mean,
)

Average = Callable[[Tensor], Tensor]  # mask (B, T) -> weights (B, T) of the tokens in a loss; zero on padding
Baseline = Callable[[Tensor, int], Tensor]  # total rewards (B,), completions per prompt -> advantages (B,)
Estimate = Callable[[Tensor, Tensor], Tensor]  # log-probabilities of policy and reference (B, T) -> KL (B, T)
Metrics = dict[str, Tensor]


@dataclass(frozen=True)
class Experience:
    """A scored rollout of B completions of up to T tokens, or a part of one, ready to learn from."""

    rollout: Rollout
    scores: Tensor  # (B,) from the reward function, minus the penalty for a missing end
    reference_log_probs: Tensor | None  # (B, T) of the same tokens under the reference model, if there is one
    values: Tensor | None = None  # (B, T) what the value head predicted at sampling time, if there is one
    group_size: int = 1  # completions of each prompt; those of one prompt are neighbours
    kl_coefficient: float = 0.0  # penalty for each nat of divergence, in units of reward
    advantages: Tensor | None = None  # (B, T) how much better than expected each token was
    returns: Tensor | None = None  # (B, T) what the values should have been
    weights: Tensor | None = None  # (B, T) weight of each token in the loss of the whole minibatch
    tokens: int = 0  # real tokens in the whole minibatch

    @property
    def mask(self) -> Tensor:
        return self.rollout.completion_mask

    @property
    def kl(self) -> Tensor:
        """k1 of each token (B, T), policy against reference; zero on padding."""
        return kl_k1(self.rollout.log_probs, self.reference_log_probs)

    def select(self, rows: Tensor) -> Experience:
        """The experience of the given rows, cut to the longest completion among them."""
        rollout = self.rollout.select(rows)
        length = rollout.completion_ids.shape[1]
        by_token = ("reference_log_probs", "values", "advantages", "returns", "weights")
        present = {name: getattr(self, name) for name in by_token if getattr(self, name) is not None}
        cut = {name: tensor[rows, :length] for name, tensor in present.items()}
        return replace(self, rollout=rollout, scores=self.scores[rows], **cut)

    def minibatch(self, rows: Tensor, average: Average) -> Experience:
        """The given rows as one minibatch, with the weight of each token in its loss."""
        chosen = self.select(rows)
        return replace(chosen, weights=average(chosen.mask), tokens=int(chosen.mask.sum()))

    def weighted(self, loss: Tensor) -> Tensor:
        """What this part adds to the minibatch's loss, from a loss for each token (B, T)."""
        return (loss.masked_fill(~self.mask, 0.0) * self.weights).sum()

    def mean(self, x: Tensor) -> Tensor:
        """What this part adds to the mean of x (B, T) over the real tokens of the minibatch."""
        return x.masked_fill(~self.mask, 0.0).sum() / self.tokens


# --- First choice: the advantage ---------------------------------------------------------------------


@dataclass(frozen=True)
class CompletionAdvantage:
    """One advantage for all tokens of a completion: its total reward against a baseline."""

    baseline: Baseline = leave_one_out
    needs_values: ClassVar[bool] = False

    def __call__(self, experience: Experience, rewards: Tensor) -> Experience:
        advantages = self.baseline(rewards.sum(1), experience.group_size)  # (B,)
        return replace(experience, advantages=advantages[:, None] * experience.mask)

    def describe(self, experience: Experience) -> dict[str, float]:
        """The share of prompts whose completions all got the same score. Only the KL penalty can teach on those."""
        if experience.group_size < 2:
            return {}
        groups = experience.scores.reshape(-1, experience.group_size)
        return {"zero_std_groups": float((groups.amax(1) == groups.amin(1)).float().mean())}


@dataclass(frozen=True)
class GeneralisedAdvantage:
    """Generalised advantage estimation (Schulman et al. 2015): token by token, against a value head."""

    gamma: float = 1.0  # discount per token; 1: a text's length does not change its worth
    lam: float = 0.95  # 0 trusts the value head, 1 the sampled rewards
    whiten_rewards: bool = False  # scale token rewards to variance 1 in each batch (their mean is kept)
    whiten_advantages: bool = True  # scale and shift advantages to variance 1 and mean 0 in each batch
    value_clip: float = 0.2  # how far a value may move from the old one before its loss stops rewarding it
    value_coefficient: float = 0.1  # weight of the value loss; small, because the value head shares the policy's trunk
    needs_values: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (0 <= self.gamma <= 1 and 0 <= self.lam <= 1):
            raise ValueError(f"gamma={self.gamma}, lam={self.lam}: both must be from 0 to 1.")

    def __call__(self, experience: Experience, rewards: Tensor) -> Experience:
        mask, values = experience.mask, experience.values
        if self.whiten_rewards:
            rewards = whiten(rewards, mask, shift_mean=False)
        advantages = gae(rewards, values, mask, self.gamma, self.lam)
        returns = advantages + values  # before whitening, because the values predict plain rewards
        if self.whiten_advantages:
            advantages = whiten(advantages, mask)
        return replace(experience, advantages=advantages, returns=returns.masked_fill(~mask, 0.0))

    def describe(self, experience: Experience) -> dict[str, float]:
        """How well the value head predicted the returns."""
        return {"explained_variance": float(explained_variance(experience.values, experience.returns, experience.mask))}


# --- Second choice: the surrogate --------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreFunction:
    """-A log p (Williams 1992). Its gradient is right only on samples from the current policy."""

    average: Average = sequence_mean_token_sum  # the log-probability of a completion is the sum over its tokens

    def __call__(self, experience: Experience, log_probs: Tensor) -> tuple[Tensor, Metrics]:
        return score_function_surrogate(log_probs, experience.advantages), {}


@dataclass(frozen=True)
class ClippedRatio:
    """-min(ratio A, clip(ratio) A), token by token (PPO, Schulman et al. 2017, eq. 7)."""

    low: float = 0.2  # no gradient pushes a ratio further down once it is below 1 - low
    high: float = 0.2  # no gradient pushes a ratio further up once it is above 1 + high
    average: Average = token_mean

    def __call__(self, experience: Experience, log_probs: Tensor) -> tuple[Tensor, Metrics]:
        ratio = probability_ratio(log_probs, experience.rollout.log_probs)
        loss = clipped_surrogate(ratio, experience.advantages, self.low, self.high)
        return loss, _clip_metrics(experience, ratio, self.low, self.high)


@dataclass(frozen=True)
class ClippedCompletionRatio:
    """The same, but with one ratio per completion: the geometric mean over its tokens (Zheng et al. 2025, eq. 5)."""

    low: float = 3e-4  # far smaller than for single tokens, because means vary far less
    high: float = 4e-4
    average: Average = sequence_mean_token_mean

    def __call__(self, experience: Experience, log_probs: Tensor) -> tuple[Tensor, Metrics]:
        ratio = completion_ratio(log_probs, experience.rollout.log_probs, experience.mask)  # (B, 1)
        ratio = ratio.expand_as(log_probs)
        loss = clipped_surrogate(ratio, experience.advantages, self.low, self.high)
        return loss, _clip_metrics(experience, ratio, self.low, self.high)


def _clip_metrics(experience: Experience, ratio: Tensor, low: float, high: float) -> Metrics:
    outside = (ratio < 1.0 - low) | (ratio > 1.0 + high)
    return {"clip_fraction": experience.mean(outside.float())}


# --- The three together ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Algorithm:
    """A policy-gradient algorithm: the three choices, and how often a rollout is used."""

    advantage: CompletionAdvantage | GeneralisedAdvantage
    surrogate: ScoreFunction | ClippedRatio | ClippedCompletionRatio
    kl_in: str | None = "reward"  # where drifting is penalised: "reward", "loss", or None for nowhere
    kl_estimate: Estimate = kl_k1  # of each token's KL; in the loss use k2 or k3, see `kl_penalty`
    epochs: int = 1  # passes over each rollout
    minibatches: int = 1  # updates per pass

    def __post_init__(self) -> None:
        if self.kl_in not in ("reward", "loss", None):
            raise ValueError(f'kl_in says where the KL penalty is paid: "reward", "loss" or None; got {self.kl_in!r}.')
        for name in ("epochs", "minibatches"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")
        if isinstance(self.surrogate, ScoreFunction) and self.epochs * self.minibatches > 1:
            raise ValueError(
                f"The score-function surrogate is right only for the first update after sampling, but"
                f" epochs={self.epochs} and minibatches={self.minibatches} ask for"
                f" {self.epochs * self.minibatches}. Set both to 1, or take ClippedRatio."
            )

    def rewards(self, experience: Experience) -> Tensor:
        """Token rewards (B, T). The last token gets the score. With kl_in="reward", each token also pays for its own
        log p / q (Ziegler et al. 2019, eq. 2)."""
        policy, reference = experience.rollout.log_probs, experience.reference_log_probs
        if self.kl_in == "reward":
            kl, coefficient = self.kl_estimate(policy, reference), experience.kl_coefficient
        else:
            kl, coefficient = torch.zeros_like(policy), 0.0
        return token_rewards(experience.scores, kl, experience.mask, coefficient)

    def kl_penalty(self, experience: Experience, log_probs: Tensor) -> Tensor | float:
        """The KL penalty on the loss of each token (B, T), with gradients; 0 unless kl_in is "loss".

        The estimate decides what its gradient does, on samples from the policy itself. k2 has the gradient of the
        token's KL. k1's is zero on average, however large the drift. k3 has that of the reverse KL (Tang and Munos
        2025, "On a few pitfalls in KL divergence gradient estimation for RL"). In the loss, a token is charged for
        its own KL only; in the reward, it is also charged for the tokens that follow from it.
        """
        if self.kl_in != "loss" or not experience.kl_coefficient:
            return 0.0
        return experience.kl_coefficient * self.kl_estimate(log_probs, experience.reference_log_probs)

    def compute_advantages(self, experience: Experience) -> Experience:
        """Fill in the advantages, and the returns if there is a value head to learn them."""
        return self.advantage(experience, self.rewards(experience))

    def loss(self, part: Experience, log_probs: Tensor, values: Tensor | None) -> tuple[Tensor, Metrics]:
        """What a part of a minibatch adds to the minibatch's loss and metrics, under the current policy.

        log_probs: (B, T). values: (B, T) if there is a value head. The losses and metrics of all parts add up to
        those of the minibatch, except for the metrics called largest_...
        """
        surrogate, metrics = self.surrogate(part, log_probs)
        policy_loss = part.weighted(surrogate + self.kl_penalty(part, log_probs))
        loss = policy_loss
        metrics["policy_loss"] = policy_loss.detach()
        if self.advantage.needs_values:
            clip, coefficient = self.advantage.value_clip, self.advantage.value_coefficient
            share = part.mask.sum() / part.tokens
            value_loss = share * ppo_value_loss(values, part.values, part.returns, part.mask, clip)
            loss = loss + coefficient * value_loss
            metrics["value_loss"] = value_loss.detach()
        with torch.no_grad():
            old = part.rollout.log_probs
            metrics["approx_kl"] = part.mean(kl_k3(old, log_probs))
            ratio_error = (probability_ratio(log_probs, old) - 1.0).abs()
            metrics["largest_ratio_error"] = ratio_error.masked_fill(~part.mask, 0.0).max()
        return loss, metrics


# --- The algorithms of the literature ----------------------------------------------------------------

# Williams 1992, with the mean of the batch as its baseline
REINFORCE = Algorithm(CompletionAdvantage(batch_mean_baseline), ScoreFunction())

# Ahmadian et al. 2024, "Back to basics": the other completions of the prompt are the baseline
RLOO = Algorithm(CompletionAdvantage(leave_one_out), ScoreFunction())

# Schulman et al. 2017, as Ziegler et al. 2019 used it for language models
PPO = Algorithm(GeneralisedAdvantage(), ClippedRatio(), epochs=2, minibatches=2)

# Shao et al. 2024, "DeepSeekMath"
GRPO = Algorithm(
    CompletionAdvantage(group_relative),
    ClippedRatio(average=sequence_mean_token_mean),
    kl_in="loss",
    kl_estimate=kl_k3,
    epochs=2,
)

# Liu et al. 2025, "Understanding R1-Zero-like training": GRPO that divides neither by the standard deviation nor by the
# length. (The paper divides the sum by a constant. With an optimiser like Adam, that makes no difference.)
DR_GRPO = Algorithm(
    CompletionAdvantage(group_centred), ClippedRatio(average=sequence_mean_token_sum), kl_in=None, epochs=2
)

# Yu et al. 2025, "DAPO": every token counts the same, and a ratio may rise further than it may fall
DAPO = Algorithm(CompletionAdvantage(group_relative), ClippedRatio(high=0.28), kl_in=None, epochs=2)

# Zheng et al. 2025, "Group sequence policy optimization"
GSPO = Algorithm(
    CompletionAdvantage(group_relative), ClippedCompletionRatio(), kl_in="loss", kl_estimate=kl_k3, epochs=2
)
