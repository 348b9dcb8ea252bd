"""What tells one policy-gradient algorithm from another, as small frozen dataclasses.

Three choices: where the KL penalty goes and how rewards become advantages (`credit`), and which surrogate
objective is ascended (`loss`). The loop in `policy_gradient.py` does everything else, the same for all.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rlhf_lab.advantages import explained_variance, gae, kl_k1, kl_k3, masked_mean, token_rewards, whiten
from rlhf_lab.losses import ppo_policy_loss, ppo_value_loss, probability_ratio
from rlhf_lab.sampling import Rollout


@dataclass(frozen=True)
class Experience:
    """A scored rollout of B completions of up to T tokens, ready to learn from."""

    rollout: Rollout
    scores: Tensor  # (B,) from the reward function, less the penalty for a missing end
    reference_log_probs: Tensor  # (B, T) of the same tokens under the reference model
    values: Tensor  # (B, T) what the value head expected when the tokens were sampled
    advantages: Tensor | None = None  # (B, T) how much better than expected each token was
    returns: Tensor | None = None  # (B, T) what the values should have been

    @property
    def mask(self) -> Tensor:
        return self.rollout.completion_mask

    @property
    def kl(self) -> Tensor:
        """k1 of each token (B, T), policy against reference; zero on padding."""
        return kl_k1(self.rollout.log_probs, self.reference_log_probs)

    def select(self, rows: Tensor) -> "Experience":
        """The experience of the given rows, cut to the longest completion among them."""
        rollout = self.rollout.select(rows)
        length = rollout.completion_ids.shape[1]
        by_token = ("reference_log_probs", "values", "advantages", "returns")
        cut = {name: getattr(self, name)[rows, :length] for name in by_token}
        return replace(self, rollout=rollout, scores=self.scores[rows], **cut)


@dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation (Schulman et al. 2017), as in Ziegler et al. 2019.

    KL: in the reward, token by token. Advantage: GAE over a value head. Surrogate: the clipped ratio.
    """

    epochs: int = 2  # passes over each rollout
    minibatches: int = 2  # updates a pass
    clip: float = 0.2  # a ratio further than this from 1 gets no gradient that takes it further still
    value_clip: float = 0.2  # how far a value may move from the old one before its loss stops rewarding it
    value_coefficient: float = 0.1  # weight of the value loss; it shares the policy's trunk
    gamma: float = 1.0  # discount a token: a text is worth what it is worth, however long
    lam: float = 0.95  # GAE: 0 trusts the value head, 1 the sampled rewards
    whiten_rewards: bool = False  # scale token rewards to variance 1 in each batch (their mean is kept)
    whiten_advantages: bool = True  # scale and shift advantages to variance 1 and mean 0 in each batch

    def credit(self, experience: Experience, kl_coefficient: float) -> Experience:
        """The experience with its advantages and returns filled in."""
        mask, values = experience.mask, experience.values
        rewards = token_rewards(experience.scores, experience.kl, mask, kl_coefficient)  # (B, T)
        if self.whiten_rewards:
            rewards = whiten(rewards, mask, shift_mean=False)
        advantages = gae(rewards, values, mask, self.gamma, self.lam)
        returns = advantages + values  # before whitening: the values' target is in units of reward
        if self.whiten_advantages:
            advantages = whiten(advantages, mask)
        return replace(experience, advantages=advantages, returns=returns.masked_fill(~mask, 0.0))

    def loss(self, experience: Experience, log_probs: Tensor, values: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a minibatch under the current log-probabilities and values (B, T), and metrics of it."""
        mask, old = experience.mask, experience.rollout.log_probs
        policy_loss = ppo_policy_loss(log_probs, old, experience.advantages, mask, self.clip)
        value_loss = ppo_value_loss(values, experience.values, experience.returns, mask, self.value_clip)
        with torch.no_grad():
            ratio = probability_ratio(log_probs, old)
            metrics = {
                "policy_loss": policy_loss.detach(),
                "value_loss": value_loss.detach(),
                "clip_fraction": masked_mean(((ratio - 1).abs() > self.clip).float(), mask),
                "approx_kl": masked_mean(kl_k3(old, log_probs), mask),
                "largest_ratio_error": (ratio - 1).abs().masked_fill(~mask, 0.0).max(),
            }
        return policy_loss + self.value_coefficient * value_loss, metrics

    def fit(self, experience: Experience) -> dict[str, float]:
        """How well the value head had foreseen the returns."""
        return {"explained_variance": float(explained_variance(experience.values, experience.returns, experience.mask))}
