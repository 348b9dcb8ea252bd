"""Details 25 to 30: flat groups, 16 bits, edges of bins, self-consistency, DPO's two sides, and who did what first."""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from detail import detail

from rlhf_lab.evaluation import expected_calibration_error
from rlhf_lab.models.precision import keep_in_float32, ready_to_learn
from rlhf_lab.objectives.advantages import group_relative, leave_one_out
from rlhf_lab.objectives.direct import dpo_losses, ipo_losses
from rlhf_lab.training.optimisation import apply_gradients, make_optimizer

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def centred(returns, size):
    groups = returns.view(-1, size)
    return (groups - groups.mean(1, keepdim=True)).flatten()


def divided(returns, size):
    groups = returns.view(-1, size)
    return (centred(returns, size).view(-1, size) / (groups.std(1, keepdim=True) + 1e-8)).flatten()


@detail(
    25,
    "a group of equal rewards has advantages of exactly zero",
    right=(group_relative, leave_one_out),
    broken={
        "whatever rounding leaves, divided by hardly anything": (divided, leave_one_out),
        "whatever rounding leaves": (group_relative, centred),
    },
)
def equal_rewards_teach_nothing(functions, tools):
    for function in functions:
        for value in (0.1, 0.3, 1 / 3, -2.7):
            for size in (3, 7, 10):
                assert not function(torch.full((size,), value), size).any(), (function, value, size)


def left_in_16_bits(model):
    """As it came."""


@detail(
    26,
    "a model in bfloat16 learns with float32 weights, so that small steps are not rounded away",
    right=ready_to_learn,
    broken={"its weights stay in bfloat16": left_in_16_bits},
)
def small_steps_count(get_ready, tools):
    model = tools.model.to(torch.bfloat16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        get_ready(model)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = make_optimizer(model.parameters())
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    apply_gradients(optimizer, 1e-5, 1e9)
    moved = [(p != q).float().mean() for p, q in zip(model.parameters(), before, strict=True)]
    assert torch.stack(moved).mean() > 0.9
    keep_in_float32(model)


def closed_on_the_right(p, y, bins):
    where = np.clip(np.ceil(np.asarray(p) * bins) - 1, 0, bins - 1).astype(int)
    return float(np.abs(np.bincount(where, np.asarray(p) - np.asarray(y))).sum() / len(p))


def without_zero(p, y, bins):
    p, y = np.asarray(p), np.asarray(y)
    where = np.ceil(p * bins).astype(int) - 1
    return float(np.abs(np.bincount(where[where >= 0], (p - y)[where >= 0])).sum() / len(p))


@detail(
    27,
    "bins of a calibration error are closed on the left, and 0 and 1 are in one",
    right=expected_calibration_error,
    broken={"closed on the right": closed_on_the_right, "zero is in no bin": without_zero},
)
def every_probability_is_in_one_bin(error, tools):
    assert abs(error([0.5, 0.4], [1.0, 0.0], 2) - 0.45) < 1e-9  # 0.5 is in the upper bin
    assert abs(error([0.0, 1.0], [1.0, 0.0], 2) - 1.0) < 1e-9


@detail(
    28,
    "who follows a taste with probability p agrees with itself p^2 + (1 - p)^2 of the time: less than p, so no ceiling",
    right=lambda p: p**2 + (1 - p) ** 2,
    broken={"self-consistency is p": lambda p: p, "both must be right": lambda p: p**2},
)
def agreeing_with_oneself_is_no_ceiling(consistency, tools):
    rng = np.random.default_rng(0)
    for p in (0.6, 0.9):
        first, second = rng.random((2, 200_000)) < p
        assert abs(consistency(p) - np.mean(first == second)) < 0.01
        assert consistency(p) < p


@detail(
    29,
    "DPO's optimum is at infinity where all answers agree, IPO's is not; both sides may fall while the margin grows",
    right=(dpo_losses, ipo_losses),
    broken={
        "DPO with a best margin": (ipo_losses, ipo_losses),
        "IPO without one": (dpo_losses, dpo_losses),
        "DPO that looks at the chosen side alone": (lambda c, r, beta: dpo_losses(c, r * 0, beta), ipo_losses),
    },
)
def dpo_runs_off_and_ipo_does_not(losses, tools):
    dpo, ipo = losses
    margins = torch.linspace(0, 200, 401, dtype=torch.float64)
    assert int(dpo(margins / 2, -margins / 2, 0.1).argmin()) == 400
    assert abs(float(margins[ipo(margins / 2, -margins / 2, 0.1).argmin()]) - 5.0) < 0.5
    before, after = torch.zeros(2, dtype=torch.float64), torch.tensor([-1.0, -5.0], dtype=torch.float64)
    assert dpo(after[:1], after[1:], 0.1) < dpo(before[:1], before[1:], 0.1)


def page_09():
    cells = json.loads((NOTEBOOKS / "09_grpo_and_relatives.ipynb").read_text(encoding="utf-8"))["cells"]
    return " ".join("".join(cell["source"]) for cell in cells).lower()


@detail(
    30,
    "GRPO's first paper trained against learned reward models, rules came with R1; and DAPO has four parts",
    right=page_09,
    broken={
        "overlong shaping is missing": lambda: page_09().replace("overlong", ""),
        "R1 is not named": lambda: page_09().replace(" r1 ", " "),
    },
)
def the_page_says_who_did_what(text_of, tools):
    text = " ".join(text_of().split())
    assert " r1 " in text and "*learned* reward models" in text
    for part in ("clip-higher", "dynamic sampling", "overlong"):
        assert part in text.replace("clip higher", "clip-higher"), part
