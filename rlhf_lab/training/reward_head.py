"""Fit only the head of a reward model, from a dozen ratings, in seconds. The trunk does not change.

Each text is read once. Then a small convex problem in the features of its last token is solved in float64. There are
more features than ratings, so the fit needs a prior: rewards of texts are roughly normal with standard deviation
`prior_deviation`. This amounts to a ridge penalty on standardised features. It keeps the head finite even if the
ratings can be explained without any error, or contradict each other.

    fit_head     from texts, for every kind of feedback
    fit_pairs    from features computed before, for pairs only: takes milliseconds, for experiments over many seeds
"""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.objectives.preference import bradley_terry_losses
from rlhf_lab.training.optimisation import draw_seed
from rlhf_lab.training.reward_model import PAIRS, by_example, example_weights, prepare
from rlhf_lab.training.reward_objectives import Objective


@dataclass(frozen=True)
class HeadFit:
    """How a fit of the head went."""

    loss: float  # weighted mean over the examples, without the penalty
    penalty: float  # what the prior adds to it
    gradient: float  # largest remaining entry of the gradient of loss + penalty; 0 at the optimum
    metrics: dict[str, float]  # the objective's, on the fitted examples themselves
    seconds: float


def fit_head(
    reward_model: RewardModel,
    tokenizer,
    examples: Sequence[Any],
    *,
    objective: Objective = PAIRS,
    prior_deviation: float = 2.0,
    bootstrap: bool = False,
    generator: torch.Generator | None = None,
    max_steps: int = 300,
) -> HeadFit:
    """Fit the head of `reward_model` in place, and the objective's own parameters. The trunk is not touched.

    prior_deviation: assumed standard deviation of rewards before any rating, in the objective's units (log-odds; for
        `Scores`, standard deviations of an axis). Smaller is more cautious.
    bootstrap: each output learns from its own resample, drawn with the generator. This makes an ensemble.
    Errors as in `train_reward_model`, and a ValueError if the features of a text are not finite.
    """
    started = time.perf_counter()
    rows = prepare(reward_model, tokenizer, examples, objective)
    features = reward_model.features_of([text for texts in rows for text in texts])  # (T, d)
    features = features.cpu().double()  # a GPU is no faster on so little data, and some lack float64
    counts = [len(texts) for texts in rows]
    _check_finite(features, counts)
    weights = example_weights(examples, len(reward_model.names), draw_seed(generator) if bootstrap else None)

    mean, deviation = features.mean(0), features.std(0, correction=0)
    # Features that differ only by rounding (equal texts read in different batches) teach nothing.
    useful = deviation > max(1e-6 * float(deviation.max()), 1e-4 * float(features.square().mean().sqrt()))
    if not bool(useful.any()):
        raise ValueError("All texts look the same to the trunk: their features do not differ. Is every text the same?")
    x = ((features - mean) / deviation)[:, useful]  # (T, F)
    exact = copy.deepcopy(objective).to(features.device).double() if isinstance(objective, nn.Module) else objective
    problem = _Problem(x, counts, examples, exact, weights.to(x.device), x.shape[1] / prior_deviation**2)
    problem.solve(max_steps)

    with torch.no_grad():
        slope = features.new_zeros(len(reward_model.names), features.shape[1])
        slope[:, useful] = problem.slope / deviation[useful]
        head = reward_model.head
        head.weight.copy_(slope.to(head.weight.dtype))
        head.bias.copy_((problem.constant - slope @ mean).to(head.bias.dtype))
        if exact is not objective:
            objective.load_state_dict(exact.state_dict())
        loss, penalty = problem.loss(), problem.penalty()
        metrics = exact.metrics(problem.scores(), examples)
    return HeadFit(float(loss), float(penalty), problem.gradient, metrics, time.perf_counter() - started)


@dataclass(frozen=True)
class PairFit:
    """A head fitted to pairs: reward = weight . features, up to a constant that pairs cannot determine."""

    weight: Tensor  # (F,) float64
    covariance: Tensor  # (F, F), of the weight, by Laplace's method: the inverse of the curvature at the optimum
    loss: float  # weighted mean over the pairs, without the penalty


def fit_pairs(
    differences: Tensor,
    prior_deviation: float = 2.0,
    weights: Tensor | None = None,
    start: Tensor | None = None,
    max_steps: int = 50,
) -> PairFit:
    """Bradley-Terry on features: the weight that makes the answers likeliest, with the same prior as `fit_head`.

    differences: (N, F), features of the chosen text minus those of the rejected one; standardise the features first.
    Enter a tie as two rows of opposite sign, each with weight one half.
    weights: (N,), how much each pair counts. For a member of an ensemble, pass the pair's count in a resample.
    start: (F,), a weight to start from, for example from a fit to nearly the same pairs.
    Uses Newton's method, halving steps that overshoot. ValueError if differences are not a matrix or not finite, or if
    weights do not match them or are negative.
    """
    x = differences.double()
    if x.ndim != 2 or not len(x):
        raise ValueError(f"Expected differences (N, F) of one pair or more; got the shape {tuple(x.shape)}.")
    if not bool(x.isfinite().all()):
        raise ValueError(f"{int((~x.isfinite()).any(1).sum())} of {len(x)} pairs have features that are not finite.")
    counts = x.new_ones(len(x)) if weights is None else weights.double()
    if counts.shape != x.shape[:1] or bool((counts < 0).any()) or not bool(counts.sum() > 0):
        raise ValueError(f"Expected {len(x)} weights, none below zero and not all zero; got {tuple(counts.shape)}.")
    ridge = x.shape[1] / prior_deviation**2
    weight = x.new_zeros(x.shape[1]) if start is None else start.double().clone()

    def losses(weight: Tensor) -> Tensor:
        return bradley_terry_losses(x @ weight, torch.zeros_like(counts))

    def cost(weight: Tensor) -> Tensor:
        return (counts * losses(weight)).sum() + 0.5 * ridge * weight @ weight

    def curvature(weight: Tensor) -> Tensor:
        logits = x @ weight
        certainty = counts * torch.sigmoid(logits) * torch.sigmoid(-logits)  # p (1 - p)
        return x.T @ (x * certainty[:, None]) + ridge * torch.eye(len(weight), dtype=x.dtype, device=x.device)

    for _ in range(max_steps):
        slope = -x.T @ (counts * torch.sigmoid(-x @ weight)) + ridge * weight
        step = torch.linalg.solve(curvature(weight), slope)
        size, now = 1.0, cost(weight)
        while size > 1e-4 and cost(weight - size * step) > now:
            size /= 2
        weight = weight - size * step
        if float(step.abs().max()) < 1e-8:
            break
    loss = (counts * losses(weight)).sum() / counts.sum()
    return PairFit(weight, torch.linalg.inv(curvature(weight)), float(loss))


class _Problem:
    """Finds the slope (K, F) and constant (K,) that minimise the weighted mean loss plus a penalty on the slope."""

    def __init__(
        self, x: Tensor, counts: list[int], examples: Sequence[Any], objective: Objective, weights: Tensor, ridge: float
    ):
        self.x, self.counts, self.examples, self.objective = x, counts, examples, objective
        self.weights = weights / weights.sum()  # (N, K)
        # the ridge belongs to the sum of the losses, but the loss here is their mean
        self.ridge = ridge / float(weights.sum())
        self.slope = x.new_zeros(weights.shape[1], x.shape[1]).requires_grad_()
        self.constant = x.new_zeros(weights.shape[1]).requires_grad_()

    def scores(self) -> Tensor:
        return by_example(self.x @ self.slope.T + self.constant, self.counts)  # (N, M, K)

    def loss(self) -> Tensor:
        return (self.objective.losses(self.scores(), self.examples) * self.weights).sum()

    def penalty(self) -> Tensor:
        return 0.5 * self.ridge * (self.slope**2).sum()

    def solve(self, max_steps: int) -> None:
        """L-BFGS (Liu and Nocedal 1989), until the gradient vanishes."""
        unknown = [self.slope, self.constant]
        if isinstance(self.objective, nn.Module):
            unknown += list(self.objective.parameters())
        optimizer = torch.optim.LBFGS(
            unknown, max_iter=max_steps, tolerance_grad=1e-9, tolerance_change=1e-14, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            value = self.loss() + self.penalty()
            value.backward()
            return value

        optimizer.step(closure)
        closure()
        self.gradient = max(float(each.grad.abs().max()) for each in unknown if each.grad is not None)


def _check_finite(features: Tensor, counts: list[int]) -> None:
    """ValueError naming the first example that has a text with features that are not finite."""
    wrong = ~features.isfinite().all(1)
    if bool(wrong.any()):
        text = int(wrong.int().argmax())
        example = next(i for i in range(len(counts)) if sum(counts[: i + 1]) > text)
        raise ValueError(
            f"The trunk gives features that are not finite numbers for {int(wrong.sum())} of {len(features)} texts,"
            f" the first in example {example}. The model is broken (training that diverged, half precision that"
            " overflowed): load it again, in float32."
        )
