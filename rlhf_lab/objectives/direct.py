"""Preference optimisation without a reward model: the policy's own log-probabilities are the reward.

If a policy is optimal for a reward r with KL price beta, then r = beta log(policy / reference) + a constant per prompt.
So beta times this log-ratio *is* a reward, the implicit reward, and it can be fitted to feedback directly (Rafailov et
al. 2023). Each function is pure and returns one loss per example, for B pairs or B single texts. `sum` is the
log-probability of a whole completion, `mean` is that per token, and `ratio` is the policy's sum minus the reference's.

    DPO     Bradley-Terry on implicit rewards                        sums, reference
    cDPO    the same, assuming that some answers are mistakes        sums, reference
    robust  the same, corrected for the effect of such mistakes      sums, reference
    IPO     squared distance from a finite margin                    sums, reference
    SLiC    a hinge on the difference                                sums
    KTO     single texts, good or bad                                sums, reference
    ORPO    cross-entropy plus the odds of one text over the other   means
    SimPO   Bradley-Terry on means, with a margin                    means
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from rlhf_lab.objectives.masked import at_least_float32
from rlhf_lab.objectives.preference import bradley_terry_losses


def dpo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float, label_smoothing: float = 0.0) -> Tensor:
    """-log sigmoid(beta (chosen - rejected)) for each pair (Rafailov et al. 2023, eq. 7). Ratios of sums, (B,).

    label_smoothing > 0 is cDPO (Mitchell 2023): it assumes that this share of answers is wrong.
    """
    _check_beta(beta)
    chosen, rejected = beta * at_least_float32(chosen_ratio), beta * at_least_float32(rejected_ratio)
    return bradley_terry_losses(chosen, rejected, label_smoothing=label_smoothing)


def robust_dpo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float, mistakes: float) -> Tensor:
    """((1 - e) l - e l') / (1 - 2e), (B,), where e = mistakes, l is DPO's loss and l' its loss for the swapped pair.

    If a share e of the answers is wrong, the expected value is DPO's loss on the right answers (Chowdhury et al. 2024,
    eq. 12).
    """
    if not 0.0 <= mistakes < 0.5:
        raise ValueError(f"mistakes is the share of wrong answers, from 0 to below one half; got {mistakes}.")
    told = dpo_losses(chosen_ratio, rejected_ratio, beta)
    turned_round = dpo_losses(rejected_ratio, chosen_ratio, beta)
    return ((1 - mistakes) * told - mistakes * turned_round) / (1 - 2 * mistakes)


def ipo_losses(chosen_ratio: Tensor, rejected_ratio: Tensor, beta: float) -> Tensor:
    """(chosen - rejected - 1 / (2 beta))^2 for each pair (Azar et al. 2023, eq. 17). Ratios of sums, (B,).

    So there is an optimal difference. In DPO there is none if all answers agree: the difference grows without limit.
    """
    _check_beta(beta)
    return (at_least_float32(chosen_ratio) - at_least_float32(rejected_ratio) - 1 / (2 * beta)) ** 2


def slic_losses(chosen_sum: Tensor, rejected_sum: Tensor, margin: float = 1.0) -> Tensor:
    """max(0, margin - chosen + rejected) for each pair (Zhao et al. 2023, eq. 6, without its cross-entropy), (B,)."""
    return F.relu(margin - at_least_float32(chosen_sum) + at_least_float32(rejected_sum))


def kto_losses(
    ratio: Tensor, good: Tensor, zero: Tensor, beta: float, good_weight: float = 1.0, bad_weight: float = 1.0
) -> Tensor:
    """weight (1 - sigmoid(+-beta (ratio - zero))) for each text, with + for good texts (Ethayarajh et al. 2024, eq. 8).

    ratio: (B,), of sums. good: (B,) bool. zero: a scalar, the policy's KL as estimated by `kto_zero`. A text must
    exceed it to count as a gain; no gradient flows through it. The weights balance, for example, many good texts
    against few bad ones.
    """
    _check_beta(beta)
    gain = beta * (at_least_float32(ratio) - at_least_float32(zero).detach())
    good = good.bool()
    weight = torch.where(good, good_weight, bad_weight).to(gain.dtype)
    return weight * torch.sigmoid(torch.where(good, -gain, gain))


def kto_zero(mismatched_ratio: Tensor) -> Tensor:
    """KTO's reference point, a scalar: the mean ratio of completions paired with *wrong* prompts, (B,), at least 0."""
    return at_least_float32(mismatched_ratio).mean().clamp(min=0).detach()


def orpo_losses(chosen_mean: Tensor, rejected_mean: Tensor, weight: float) -> Tensor:
    """-chosen - weight log sigmoid(log odds of chosen - log odds of rejected) for each pair (Hong et al. 2024, eq. 6).

    Means, (B,): the odds are those of an average token, p / (1 - p) with p = exp(mean).
    """
    chosen, rejected = at_least_float32(chosen_mean), at_least_float32(rejected_mean)
    return -chosen + weight * bradley_terry_losses(_log_odds(chosen), _log_odds(rejected))


def simpo_losses(chosen_mean: Tensor, rejected_mean: Tensor, beta: float, margin: float) -> Tensor:
    """-log sigmoid(beta (chosen - rejected) - margin) for each pair (Meng et al. 2024, eq. 6). Means, (B,)."""
    _check_beta(beta)
    chosen, rejected = beta * at_least_float32(chosen_mean), beta * at_least_float32(rejected_mean)
    return bradley_terry_losses(chosen, rejected, margin)


def _log_odds(log_p: Tensor) -> Tensor:
    """log(p / (1 - p)); p = 1 is replaced by the largest number below 1."""
    log_p = log_p.clamp(max=-torch.finfo(log_p.dtype).eps)
    return log_p - torch.log(-torch.expm1(log_p))


def _check_beta(beta: float) -> None:
    if not beta > 0:
        raise ValueError(f"beta is the price of KL and must be above 0; got {beta}. 0.1 is usual.")
