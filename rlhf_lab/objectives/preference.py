"""Losses for a reward model: the negative log-likelihood of an answer, for each kind of feedback.

Every function is pure. It returns one loss per example and not their mean, so that examples can be weighted. Scores may
have a trailing dimension for a model with several outputs, such as the members of an ensemble. Results are float32, or
float64 if the scores are.

    pairs       Bradley and Terry 1952, with a margin (Llama 2, Touvron et al. 2023) and label smoothing
    with ties   Rao and Kupper 1967; Davidson 1970
    rankings    Plackett 1975, Luce 1959
    scores      squared error; cumulative logits (McCullagh 1980)
    labels      one logistic regression for each label

Only scores and labels determine the absolute reward. The others depend on differences, so a constant stays free.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32


def bradley_terry_loss(chosen: Tensor, rejected: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """-log sigmoid(r_chosen - r_rejected - margin), averaged over pairs (B,) (Christiano et al. 2017); a scalar.

    Only the difference matters: a reward is learned up to a constant. If you swap the arguments, training works just as
    well but learns the negative. margin > 0 asks for more than a narrow win (Llama 2 uses it for clear preferences).
    """
    return bradley_terry_losses(chosen, rejected, margin).mean()


def bradley_terry_losses(
    chosen: Tensor, rejected: Tensor, margin: float | Tensor = 0.0, label_smoothing: float = 0.0
) -> Tensor:
    """-(1 - e) log p - e log(1 - p) for each pair, with p = sigmoid(chosen - rejected - margin). Used by training.

    label_smoothing is e in [0, 1/2), the assumed share of wrong answers. If e > 0, there is an optimal value for
    chosen - rejected - margin, log((1 - e) / e); a larger one costs again.
    """
    if not 0.0 <= label_smoothing < 0.5:
        raise ValueError(
            f"label_smoothing is the share of wrong answers, from 0 to below one half; got {label_smoothing}."
        )
    difference = at_least_float32(chosen) - at_least_float32(rejected) - margin
    return label_smoothing * difference - F.logsigmoid(difference)  # log(1 - p) = log p - difference


# --- Pairs with ties ---------------------------------------------------------------------------------
#
# Both models have one parameter besides the scores, here a propensity to tie. It may be any real number; the larger it
# is, the more pairs are ties. In both, P(tie) for two equally good texts is sigmoid(propensity - log 2).


def rao_kupper_losses(first: Tensor, second: Tensor, tied: Tensor, propensity: float | Tensor) -> Tensor:
    """-log P(first wins) for each pair, or -log P(tie) where `tied` (bool) (Rao and Kupper 1967).

    A rater cannot see differences smaller than log(theta), theta = 1 + exp(propensity). With d = first - second,

        P(first wins) = sigmoid(d - log theta),  P(tie) = 1 - sigmoid(d - log theta) - sigmoid(-d - log theta).
    """
    first, second = at_least_float32(first), at_least_float32(second)
    propensity = torch.as_tensor(propensity, dtype=first.dtype, device=first.device)
    difference, threshold = first - second, F.softplus(propensity)
    win, loss = F.logsigmoid(difference - threshold), F.logsigmoid(-difference - threshold)
    # P(tie) = (theta^2 - 1) P(first wins) P(second wins), which avoids subtracting nearly equal numbers
    tie = propensity + torch.logaddexp(propensity, torch.full_like(propensity, math.log(2.0))) + win + loss
    return -torch.where(tied, tie, win)


def davidson_losses(first: Tensor, second: Tensor, tied: Tensor, propensity: float | Tensor) -> Tensor:
    """-log P(first wins) for each pair, or -log P(tie) where `tied` (bool) (Davidson 1970).

    P(first wins), P(second wins) and P(tie) are proportional to exp(first), exp(second) and
    nu exp((first + second) / 2), with nu = exp(propensity).
    """
    first, second = at_least_float32(first), at_least_float32(second)
    half = (first - second) / 2
    propensity = torch.as_tensor(propensity, dtype=first.dtype, device=first.device).expand_as(half)
    total = torch.stack([half, -half, propensity]).logsumexp(0)
    return total - torch.where(tied, propensity, half)


# --- Rankings ----------------------------------------------------------------------------------------


def plackett_luce_losses(scores: Tensor, tiers: Tensor) -> Tensor:
    """-log P(ranking) for each of n rankings; scores (n, M) or (n, M, K) give (n,) or (n, K).

    tiers (n, M): the tier of each text, 0 is best; -1 for padding. The best text is chosen from all, with probability
    proportional to exp(score), the next one from the rest, and so on. Texts in the same tier are not compared: each is
    chosen from itself and all lower tiers. With two texts this is Bradley-Terry. If all texts are in one tier, the loss
    is zero.
    """
    scores = at_least_float32(scores)
    flat = scores if scores.ndim == 3 else scores[..., None]  # (n, M, K)
    real = tiers >= 0
    lower = (tiers[:, None, :] > tiers[:, :, None]) & real[:, :, None]  # (n, M, M): column is in a lower tier than row
    itself = torch.eye(tiers.shape[1], dtype=torch.bool, device=tiers.device)
    rivals = torch.where((lower | itself)[..., None], flat[:, None], -torch.inf)  # (n, M, M, K)
    stages = (rivals.logsumexp(2) - flat).masked_fill(~lower.any(2)[..., None], 0.0)  # (n, M, K)
    losses = stages.sum(1)
    return losses if scores.ndim == 3 else losses[..., 0]


# --- Scores and labels -------------------------------------------------------------------------------


def regression_losses(scores: Tensor, targets: Tensor) -> Tensor:
    """(score - target)^2 / 2 for each; zero if the target is NaN, which means "not asked"."""
    scores, known = at_least_float32(scores), ~targets.isnan()
    return 0.5 * (scores - targets.nan_to_num().to(scores.dtype)) ** 2 * known


def ordinal_losses(scores: Tensor, levels: Tensor, cutpoints: Tensor) -> Tensor:
    """-log P(level) for each answer on a scale of L levels (proportional odds, McCullagh 1980).

    scores (..., K) on K axes; levels (..., K) whole numbers from 0 to L - 1, or -1 for "not asked", with zero loss;
    cutpoints (K, L - 1), strictly increasing. P(level > l) = sigmoid(score - cutpoints[l]), so the steps of a scale
    need not be equally wide.
    """
    scores, asked = at_least_float32(scores), levels >= 0
    levels = levels.clamp(min=0)
    edge = torch.full_like(cutpoints[:, :1], torch.inf)
    edges = torch.cat([-edge, cutpoints, edge], 1)  # (K, L + 1)
    axes = torch.arange(len(cutpoints), device=levels.device)
    low, high = edges[axes, levels], edges[axes, levels + 1]  # (..., K)
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)), with a = score - low and b = score - high
    inside = F.logsigmoid(scores - low) + F.logsigmoid(high - scores) + torch.log(-torch.expm1(low - high))
    return torch.where(asked, -inside, torch.zeros_like(inside))


def label_losses(scores: Tensor, present: Tensor) -> Tensor:
    """-log P(present) or -log(1 - P(present)) for each label (present 1 or 0), with P(present) = sigmoid(score)."""
    scores = at_least_float32(scores)
    return F.binary_cross_entropy_with_logits(scores, present.to(scores.dtype), reduction="none")
