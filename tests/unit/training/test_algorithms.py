"""The named algorithms are those of their papers: each of their settings, written out by hand."""

from dataclasses import fields, is_dataclass

import pytest
import torch

from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.advantages import batch_mean_baseline, group_centred, group_relative, leave_one_out
from rlhf_lab.objectives.kl import kl_k1, kl_k3
from rlhf_lab.objectives.policy import sequence_mean_token_mean, sequence_mean_token_sum, token_mean
from rlhf_lab.training import algorithms
from rlhf_lab.training.algorithms import (
    DAPO,
    GRPO,
    PPO,
    Algorithm,
    ClippedCompletionRatio,
    ClippedRatio,
    CompletionAdvantage,
    Experience,
    GeneralisedAdvantage,
    ScoreFunction,
)

# Nothing below is left to a default, or a changed default would change the table along with the algorithm. The numbers
# of passes and minibatches are the course's own: the papers choose them for far larger models.
NAMED = {
    # Williams 1992; the KL is taken off the reward token by token (Ziegler et al. 2019, eq. 2).
    "REINFORCE": {
        "advantage": {"class": CompletionAdvantage, "baseline": batch_mean_baseline},
        "surrogate": {"class": ScoreFunction, "average": sequence_mean_token_sum},
        "kl_in": "reward",
        "kl_estimate": kl_k1,
        "epochs": 1,
        "minibatches": 1,
    },
    # Ahmadian et al. 2024: REINFORCE of whole completions, with a leave-one-out baseline.
    "RLOO": {
        "advantage": {"class": CompletionAdvantage, "baseline": leave_one_out},
        "surrogate": {"class": ScoreFunction, "average": sequence_mean_token_sum},
        "kl_in": "reward",
        "kl_estimate": kl_k1,
        "epochs": 1,
        "minibatches": 1,
    },
    # Schulman et al. 2017 (clipping at 0.2, lambda 0.95); Ziegler et al. 2019 (no discount, value coefficient 0.1,
    # whitened advantages, the KL in the reward).
    "PPO": {
        "advantage": {
            "class": GeneralisedAdvantage,
            "gamma": 1.0,
            "lam": 0.95,
            "whiten_rewards": False,
            "whiten_advantages": True,
            "value_clip": 0.2,
            "value_coefficient": 0.1,
        },
        "surrogate": {"class": ClippedRatio, "low": 0.2, "high": 0.2, "average": token_mean},
        "kl_in": "reward",
        "kl_estimate": kl_k1,
        "epochs": 2,
        "minibatches": 2,
    },
    # Shao et al. 2024, eq. 3 and 4: the mean over completions of the mean over tokens, and k3 in the loss.
    "GRPO": {
        "advantage": {"class": CompletionAdvantage, "baseline": group_relative},
        "surrogate": {"class": ClippedRatio, "low": 0.2, "high": 0.2, "average": sequence_mean_token_mean},
        "kl_in": "loss",
        "kl_estimate": kl_k3,
        "epochs": 2,
        "minibatches": 1,
    },
    # Liu et al. 2025: neither the standard deviation nor the length divides, and no KL penalty. (The estimate of a KL
    # that is paid nowhere is not used.)
    "DR_GRPO": {
        "advantage": {"class": CompletionAdvantage, "baseline": group_centred},
        "surrogate": {"class": ClippedRatio, "low": 0.2, "high": 0.2, "average": sequence_mean_token_sum},
        "kl_in": None,
        "kl_estimate": kl_k1,
        "epochs": 2,
        "minibatches": 1,
    },
    # Yu et al. 2025: 0.2 downwards and 0.28 upwards, the mean over all tokens, no KL penalty.
    "DAPO": {
        "advantage": {"class": CompletionAdvantage, "baseline": group_relative},
        "surrogate": {"class": ClippedRatio, "low": 0.2, "high": 0.28, "average": token_mean},
        "kl_in": None,
        "kl_estimate": kl_k1,
        "epochs": 2,
        "minibatches": 1,
    },
    # Zheng et al. 2025: one ratio a completion, clipped at 3e-4 and 4e-4, and GRPO's advantage and KL.
    "GSPO": {
        "advantage": {"class": CompletionAdvantage, "baseline": group_relative},
        "surrogate": {
            "class": ClippedCompletionRatio,
            "low": 3e-4,
            "high": 4e-4,
            "average": sequence_mean_token_mean,
        },
        "kl_in": "loss",
        "kl_estimate": kl_k3,
        "epochs": 2,
        "minibatches": 1,
    },
}


def settings(algorithm: Algorithm) -> dict:
    """All fields of an algorithm by name; of a part, its fields and its class."""

    def described(value):
        if not is_dataclass(value):
            return value
        return {"class": type(value)} | {field.name: described(getattr(value, field.name)) for field in fields(value)}

    return {field.name: described(getattr(algorithm, field.name)) for field in fields(algorithm)}


def test_the_table_has_every_named_algorithm():
    assert {name for name, value in vars(algorithms).items() if isinstance(value, Algorithm)} == set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_every_setting_of_a_named_algorithm_is_that_of_its_paper(name):
    """Fields that the table does not name fail too: a new choice is to be made for each algorithm, not by default."""
    assert settings(getattr(algorithms, name)) == NAMED[name]


@pytest.mark.parametrize(("algorithm", "high"), [(DAPO, 0.28), (PPO, 0.2), (GRPO, 0.2)], ids=["DAPO", "PPO", "GRPO"])
def test_a_good_token_gains_probability_up_to_the_upper_clip_and_a_bad_one_loses_it_down_to_the_lower(algorithm, high):
    """The gradient is the advantage times the ratio as long as the ratio is inside, and zero beyond."""

    def gradients(ratios: list[float], advantage: float) -> list[bool]:
        """For each ratio, whether its token has a gradient."""
        old = torch.full((1, len(ratios)), -2.0)
        mask = torch.ones_like(old, dtype=torch.bool)
        ids = mask.long()
        rollout = Rollout(["p"], ["c"], ids, mask, ids, mask, old, mask[:, 0])
        experience = Experience(rollout, torch.zeros(1), None, advantages=torch.full_like(old, advantage), tokens=1)
        log_probs = (old + torch.tensor([ratios]).log()).requires_grad_()
        algorithm.surrogate(experience, log_probs)[0].sum().backward()
        inside = log_probs.grad[0] != 0
        assert torch.allclose(log_probs.grad[0][inside], -advantage * torch.tensor(ratios)[inside])
        return inside.tolist()

    assert gradients([0.7, 1.0, 1.0 + high - 0.01, 1.0 + high + 0.01], 1.0) == [True, True, True, False]
    assert gradients([0.79, 0.81, 1.0, 1.5], -1.0) == [False, True, True, True]
