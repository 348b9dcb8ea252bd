"""Preference optimisation without a reward model: the policy's own log-probabilities are the reward.

The best policy for a reward r at the price beta of KL has r = beta log(policy / reference) + a constant of the prompt.
So that log-ratio, times beta, *is* a reward, the implicit one, and feedback can be fitted to it directly (Rafailov et
al. 2023). Every function gives one loss for each example and is pure. B pairs, or B single texts. `sum` is the
log-probability of a whole completion, `mean` that divided by its number of tokens; `ratio` is policy less reference.

    DPO     Bradley-Terry on implicit rewards                        sums, reference
    cDPO    the same, some answers held to be mistakes               sums, reference
    robust  the same, with the effect of such mistakes taken out     sums, reference
    IPO     squared distance to a margin that is not infinite        sums, reference
    SLiC    a hinge on the difference                                sums
    KTO     single texts, good or bad                                sums, reference
    ORPO    cross-entropy, and the odds of one text over the other   means
    SimPO   Bradley-Terry on means, with a margin                    means
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32
from rlhf_lab.objectives.preference import bradley_terry_losses


def dpo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """-log sigmoid(beta (chosen - rejected)) of each pair (Rafailov et al. 2023, eq. 7). Ratios of sums, (B,).

    label_smoothing > 0 is cDPO (Mitchell 2023): that share of answers is held to be mistakes.
    """
    _check_beta(beta)
    chosen, rejected = beta * at_least_float32(chosen_ratio), beta * at_least_float32(rejected_ratio)
    return bradley_terry_losses(chosen, rejected, label_smoothing=label_smoothing)


def robust_dpo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float, mistakes: float) -> Tensor:
    """((1 - e) l - e l') / (1 - 2e), where l is DPO's loss and l' that of the pair turned round, (B,).

    If a share e = mistakes of answers is turned round, its mean is DPO's loss on the right answers (Chowdhury et al.
    2024, eq. 12).
    """
    if not 0.0 <= mistakes < 0.5:
        raise ValueError(f"mistakes is the share of wrong answers, from 0 to below one half; got {mistakes}.")
    told = dpo_losses(chosen_ratio, rejected_ratio, beta)
    turned_round = dpo_losses(rejected_ratio, chosen_ratio, beta)
    return ((1 - mistakes) * told - mistakes * turned_round) / (1 - 2 * mistakes)


def ipo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float) -> Tensor:
    """(chosen - rejected - 1 / (2 beta))^2 of each pair (Azar et al. 2023, eq. 17). Ratios of sums, (B,).

    The difference has a best size. DPO's has none where all answers agree: there it grows for ever.
    """
    _check_beta(beta)
    return (at_least_float32(chosen_ratio) - at_least_float32(rejected_ratio) - 1 / (2 * beta)) ** 2


def slic_losses(chosen_sum: Tensor, rejected_sum: Tensor, margin: float = 1.0) -> Tensor:
    """max(0, margin - chosen + rejected) of each pair (Zhao et al. 2023, eq. 6, without its cross-entropy), (B,)."""
    return F.relu(margin - at_least_float32(chosen_sum) + at_least_float32(rejected_sum))


def kto_losses(
    ratio: Tensor, good: Tensor, zero: Tensor, beta: float, good_weight: float = 1.0, bad_weight: float = 1.0
) -> Tensor:
    """weight (1 - sigmoid(+-beta (ratio - zero))) of each text, plus where it is good (Ethayarajh et al. 2024, eq. 8).

    ratio: (B,), of sums. good: (B,) bool. zero: a scalar, the KL of the policy, which is what a text must exceed to
    count as a gain; nothing is learned through it. `kto_zero` estimates it. The weights balance many good texts
    against few bad ones.
    """
    _check_beta(beta)
    gain = beta * (at_least_float32(ratio) - at_least_float32(zero).detach())
    good = good.bool()
    weight = torch.where(good, good_weight, bad_weight).to(gain.dtype)
    return weight * torch.sigmoid(torch.where(good, -gain, gain))


def kto_zero(mismatched_ratio: Tensor) -> Tensor:
    """KTO's reference point: the mean ratio of completions under *other* prompts, (B,), and at least 0; a scalar."""
    return at_least_float32(mismatched_ratio).mean().clamp(min=0).detach()


def orpo_losses(chosen_mean: Tensor, rejected_mean: Tensor, weight: float) -> Tensor:
    """-chosen - weight log sigmoid(log odds of chosen - log odds of rejected) of each pair (Hong et al. 2024, eq. 6).

    Means, (B,): the odds are those of a typical token, p / (1 - p) with p = exp(mean).
    """
    chosen, rejected = at_least_float32(chosen_mean), at_least_float32(rejected_mean)
    return -chosen + weight * bradley_terry_losses(_log_odds(chosen), _log_odds(rejected))


def simpo_losses(chosen_mean: Tensor, rejected_mean: Tensor, beta: float, margin: float) -> Tensor:
    """-log sigmoid(beta (chosen - rejected) - margin) of each pair (Meng et al. 2024, eq. 6). Means, (B,)."""
    _check_beta(beta)
    chosen, rejected = beta * at_least_float32(chosen_mean), beta * at_least_float32(rejected_mean)
    return bradley_terry_losses(chosen, rejected, margin)


def _log_odds(log_p: Tensor) -> Tensor:
    """log(p / (1 - p)); p = 1 counts as the largest number below it."""
    log_p = log_p.clamp(max=-torch.finfo(log_p.dtype).eps)
    return log_p - torch.log(-torch.expm1(log_p))


def _check_beta(beta: float) -> None:
    if not beta > 0:
        raise ValueError(f"beta is the price of KL and must be above 0; got {beta}. 0.1 is usual.")
