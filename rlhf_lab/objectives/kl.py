"""The Kullback-Leibler divergence of a policy from its reference: estimated, exact, and the optimal policy at a price.

The three estimators of KL(policy || reference) work token by token on samples of the *policy* (Schulman 2020,
"Approximating KL divergence"). If you swap the arguments, drift is rewarded. `token_rewards` in `advantages.py`
subtracts the penalty from the reward; an algorithm may add it to the loss instead (`training/algorithms.py`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32


def kl_k1(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """log p - log q: unbiased, can be negative, large variance."""
    return at_least_float32(log_probs) - at_least_float32(reference_log_probs)


def kl_k2(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """(log p - log q)^2 / 2: never negative, biased, small variance."""
    return 0.5 * kl_k1(log_probs, reference_log_probs) ** 2


def kl_k3(log_probs: Tensor, reference_log_probs: Tensor) -> Tensor:
    """q/p - 1 - log(q/p): never negative and unbiased."""
    log_ratio = -kl_k1(log_probs, reference_log_probs)  # log q/p
    return torch.expm1(log_ratio) - log_ratio


@dataclass(frozen=True)
class AdaptiveKL:
    """Moves the KL coefficient so that the divergence settles at a target (Ziegler et al. 2019, section 2.2)."""

    target: float = 6.0  # wanted KL of a whole completion from the reference, in nats
    horizon: float = 10_000.0  # number of samples in which the coefficient may change by a factor of about e^clip
    clip: float = 0.2  # larger relative errors are clipped to this

    def __post_init__(self) -> None:
        if not (0 < self.target < math.inf and 0 < self.horizon and 0 <= self.clip < math.inf):
            raise ValueError(f"target and horizon must be above 0 and clip at least 0, as finite numbers; got {self}.")

    def next(self, coefficient: float, kl: float, samples: int) -> float:
        """The coefficient after a step whose `samples` completions had mean KL `kl`."""
        error = min(max(kl / self.target - 1.0, -self.clip), self.clip)
        return coefficient * (1.0 + error * samples / self.horizon)


# --- Exact, if all outcomes can be listed ------------------------------------------------------------


def exact_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(policy || reference) in nats (...), for two distributions over V outcomes given as logits (..., V).

    Outcomes with probability 0 under the policy contribute nothing, whatever the reference says.
    """
    log_p, log_q = logits.log_softmax(-1), reference_logits.log_softmax(-1)
    log_ratio = (log_p - log_q).masked_fill(log_p == -torch.inf, 0.0)
    return (log_p.exp() * log_ratio).sum(-1)


def closed_form_policy(reference_logits: Tensor, rewards: Tensor, beta: float) -> Tensor:
    """Log-probabilities (..., N) of the policy that maximises E[R] - beta KL(policy || reference).

    It is reference * exp(R / beta) / Z (Rafailov et al. 2023, eq. 4). reference_logits, rewards: (..., N), for N
    possible outcomes; the logits may be log-probabilities. Raises ValueError unless beta is above zero.
    """
    if beta <= 0:
        raise ValueError(
            f"beta must be above zero; got {beta}. If drift were free, only outcomes with the best reward would remain."
        )
    return torch.log_softmax(reference_logits + rewards / beta, -1)
