"""Objectives of a reward model: one for each kind of feedback.

An objective has three methods. The loop in `reward_model.py` and the fit in `reward_head.py` do the rest.

    check     ValueError, with what to do, if a model with the given outputs cannot judge the examples or, for learning,
              cannot learn anything from them
    losses    the loss of each example for each output of the model, from the scores of the example's texts
    metrics   how well the scores agree with the answers, in numbers that people understand

Scores are (n, M, K): n examples of up to M texts (padded with zeros) and K outputs. For pairs and rankings, each output
is a separate reward, a member of an ensemble. For scores and labels, each output is an axis or a label. Objectives
that learn a few numbers of their own are modules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rlhf_lab.objectives.preference import (
    bradley_terry_losses,
    label_losses,
    ordinal_losses,
    plackett_luce_losses,
    rao_kupper_losses,
    regression_losses,
)
from rlhf_lab.training.reward_examples import (
    LabelledText,
    Ranking,
    ScoredText,
    check_labels,
    check_outputs,
    check_pairs,
    check_rankings,
    check_scores,
    completions_of,
    is_tie,
)

LLAMA_2_MARGINS = (1 / 3, 2 / 3, 1.0)  # for slightly, clearly and much better (Touvron et al. 2023, A.3.3, small)

# Adam moves a weight by about the learning rate per step. That suits the weights of a network, but an objective's own
# parameters have further to go. Their steps are this many times as large.
STRIDE = 30.0


class Objective(Protocol):
    """See the module's docstring."""

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None: ...

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor: ...

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]: ...


# --- Pairs -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """Bradley-Terry on pairs."""

    margin: float = 0.0  # the chosen reward should exceed the other by at least this
    by_strength: tuple[float, float, float] = (0.0, 0.0, 0.0)  # added to the margin for slightly, clearly, much better
    label_smoothing: float = 0.0  # assumed share of wrong answers

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        _refuse_ties(examples, check_pairs(examples, learning))
        _check_strengths(examples, len(self.by_strength))

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        margins = _tensor([self._margin(pair) for pair in examples], scores)[:, None]
        return bradley_terry_losses(scores[:, 0], scores[:, 1], margins, self.label_smoothing)

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        difference = (scores[:, 0] - scores[:, 1]).mean(1)
        return {"accuracy": accuracy(difference), "difference": float(difference.mean())}

    def _margin(self, pair: Any) -> float:
        strength = getattr(pair, "strength", None)
        return self.margin + (self.by_strength[strength - 1] if strength else 0.0)


class PairsWithTies(nn.Module):
    """Pairs, some of them ties. Besides the reward, it learns one number: how readily raters call a tie."""

    def __init__(self, tie_losses: Callable[..., Tensor] = rao_kupper_losses, propensity: float = 0.0):
        """tie_losses: `rao_kupper_losses` or `davidson_losses`. propensity: initial value of their parameter."""
        super().__init__()
        self.tie_losses, self.start = tie_losses, propensity
        self.shift = nn.Parameter(torch.zeros(()))

    @classmethod
    def for_examples(cls, examples: Sequence[Any], tie_losses: Callable[..., Tensor] = rao_kupper_losses):
        """Start with equally good texts tying as often as the pairs in the examples do."""
        ties = check_pairs(examples)
        return cls(tie_losses, math.log(2.0) + _log_odds(ties, len(examples)))

    def extra_repr(self) -> str:
        return f"{self.tie_losses.__name__}, propensity={self.start:.6g}"

    @property
    def propensity(self) -> Tensor:
        """The parameter of the tie model. It can be any number; larger means more ties."""
        return self.start + STRIDE * self.shift

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        check_pairs(examples, learning)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        tied = torch.tensor([is_tie(pair) for pair in examples], device=scores.device)[:, None]
        return self.tie_losses(scores[:, 0], scores[:, 1], tied, self.propensity.to(scores.device))

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        """Accuracy and difference on the pairs that are not ties; predicted share of ties among equally good texts."""
        decided = torch.tensor([not is_tie(pair) for pair in examples], device=scores.device)
        difference = (scores[:, 0] - scores[:, 1]).mean(1)[decided]
        share = torch.sigmoid(self.propensity.detach() - math.log(2.0))
        return {"accuracy": accuracy(difference), "difference": _mean(difference), "equals_tie": float(share)}


class PairsWithStrength(nn.Module):
    """Bradley-Terry that reads the strength of a preference as a coarse measurement of the difference in reward.

    The rater feels r(chosen) - r(rejected) plus logistic noise, and says "slightly" up to a first cutpoint, "clearly"
    up to a second, and "much" beyond (a cumulative link model of paired comparisons, Agresti 1992). The cutpoints are
    learned. The probabilities of one side's strengths add up to Bradley and Terry's probability, so a pair without a
    strength simply gets their plain loss.
    """

    def __init__(self, cutpoints: Tensor):
        """cutpoints: (S - 1,) initial values between S strengths, positive and strictly increasing."""
        super().__init__()
        self.register_buffer("gaps", torch.cat([cutpoints[:1], cutpoints.diff()]))
        self.shift = nn.Parameter(torch.zeros(len(cutpoints)))

    @classmethod
    def for_examples(cls, examples: Sequence[Any], strengths: int = 3) -> PairsWithStrength:
        """Start from the cutpoints that would be right if all texts were equally good.

        ValueError if no pair has a strength, or one has a strength above `strengths`.
        """
        _refuse_ties(examples, check_pairs(examples))
        said = [pair.strength for pair in examples if getattr(pair, "strength", None)]
        if not said or max(said) > strengths:
            raise ValueError(
                f"{len(said)} of {len(examples)} pairs say how strong a preference is, the strongest with"
                f" {max(said, default=None)}; expected 1 to {strengths}. Without strengths, train with `Pairs()`."
            )
        # half an answer is added to each strength; for logistic noise x, P(|x| < c) = tanh(c / 2)
        counts = [sum(s <= level for s in said) + 0.5 * level for level in range(1, strengths)]
        shares = [count / (len(said) + 0.5 * strengths) for count in counts]
        return cls(torch.tensor([2 * math.atanh(share) for share in shares]))

    @property
    def cutpoints(self) -> Tensor:
        """(S - 1,), positive and strictly increasing, in units of the reward."""
        return (self.gaps * (STRIDE * self.shift).exp()).cumsum(0)

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        _refuse_ties(examples, check_pairs(examples, learning))
        _check_strengths(examples, len(self.gaps) + 1)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        difference, above = scores[:, 0] - scores[:, 1], self.cutpoints.to(scores.device, scores.dtype)
        scale = torch.cat([-above.flip(0), above.new_zeros(1), above])[None].expand(scores.shape[2], -1)
        said = [getattr(pair, "strength", None) or 0 for pair in examples]
        levels = torch.tensor([len(above) + s if s else -1 for s in said], device=scores.device)[:, None]
        plain = bradley_terry_losses(scores[:, 0], scores[:, 1]) * (levels < 0)
        return plain + ordinal_losses(difference, levels.expand_as(difference), scale)

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        return Pairs().metrics(scores, examples)


def accuracy(difference: Tensor) -> float:
    """Share of pairs (n,) whose chosen completion got the higher reward; a tie counts half; NaN without pairs."""
    return _mean((difference > 0).float() + 0.5 * (difference == 0).float())


# --- Rankings ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rankings:
    """Plackett-Luce on rankings of two texts or more, with or without ties."""

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        check_rankings(examples, learning)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        return plackett_luce_losses(scores, _places(scores, examples))

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        """Accuracy and mean difference over all pairs of texts from different tiers of one ranking."""
        places, reward = _places(scores, examples), scores.mean(2)
        better = (places[:, :, None] < places[:, None, :]) & (places >= 0)[:, :, None]  # (n, M, M)
        difference = (reward[:, :, None] - reward[:, None, :])[better]
        return {"accuracy": accuracy(difference), "difference": _mean(difference)}


# --- Scores ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scores:
    """Least squares on scores, each axis in units of its standard deviation. One output per axis."""

    axes: tuple[str, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @classmethod
    def for_examples(cls, examples: Sequence[ScoredText], axes: Sequence[str] | None = None) -> Scores:
        """Use the means and deviations of these examples. axes: None takes all that occur.

        ValueError if an axis has no scores, only one and the same score, or a score that is not finite.
        """
        axes = check_scores(examples, axes)
        columns = [torch.tensor([e.scores[axis] for e in examples if axis in e.scores]).double() for axis in axes]
        return cls(axes, tuple(float(c.mean()) for c in columns), tuple(float(c.std(correction=0)) for c in columns))

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        check_outputs(names, self.axes)
        check_scores(examples, self.axes, None, learning)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        return regression_losses(scores[:, 0], self._targets(scores, examples))

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        """The mean distance between predicted and given scores, in steps of the scale."""
        distance = (scores[:, 0] - self._targets(scores, examples)).abs() * _tensor(self.deviations, scores)
        return {"error": float(distance.nanmean())}

    def _targets(self, scores: Tensor, examples: Sequence[ScoredText]) -> Tensor:
        given = _tensor([[example.scores.get(axis, math.nan) for axis in self.axes] for example in examples], scores)
        return (given - _tensor(self.means, scores)) / _tensor(self.deviations, scores)


class OrdinalScores(nn.Module):
    """Proportional odds on whole-number scores. The cutpoints are learned, so steps may differ in width."""

    def __init__(self, axes: Sequence[str], lowest: int, cutpoints: Tensor):
        """cutpoints: (K, L - 1) initial values, strictly increasing. lowest: the first of the L levels."""
        super().__init__()
        self.axes, self.lowest = tuple(axes), lowest
        self.register_buffer("first", cutpoints[:, :1].clone())
        self.register_buffer("gaps", cutpoints.diff(dim=1))
        self.shift = nn.Parameter(torch.zeros(cutpoints.numel()))

    def extra_repr(self) -> str:
        return f"{self.axes}, lowest={self.lowest}"

    @classmethod
    def for_examples(
        cls, examples: Sequence[ScoredText], levels: tuple[int, int], axes: Sequence[str] | None = None
    ) -> OrdinalScores:
        """Start from the cutpoints that would be right if all texts were equally good.

        levels: the lowest and highest answer on the scale, for example (1, 7). axes and errors: as in
        `Scores.for_examples`, and a ValueError for a score that is not one of the levels.
        """
        axes, (lowest, highest) = check_scores(examples, axes, levels), levels
        rows = []
        for axis in axes:
            given = [example.scores[axis] for example in examples if axis in example.scores]
            # half an answer is added to each level, so that the cutpoints rise even where a level was never given
            above = [sum(g > level for g in given) + 0.5 * (highest - level) for level in range(lowest, highest)]
            rows.append([-_log_odds(count, len(given) + 0.5 * (highest - lowest + 1), 0.0) for count in above])
        return cls(axes, lowest, torch.tensor(rows))

    @property
    def cutpoints(self) -> Tensor:
        """(K, L - 1), strictly increasing."""
        shift = STRIDE * self.shift.view(len(self.first), -1)
        return torch.cat([self.first + shift[:, :1], self.gaps * shift[:, 1:].exp()], 1).cumsum(1)

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        check_outputs(names, self.axes)
        check_scores(examples, self.axes, (self.lowest, self.lowest + self.gaps.shape[1] + 1), learning)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        cutpoints = self.cutpoints.to(scores.device, scores.dtype)
        return ordinal_losses(scores[:, 0], self._levels(scores, examples), cutpoints)

    @torch.no_grad()
    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        """The mean distance between expected and given answers, in steps of the scale."""
        levels = self._levels(scores, examples)
        distance = (self.expected(scores[:, 0]) - self.lowest - levels).abs()
        return {"error": _mean(distance[levels >= 0])}

    def expected(self, scores: Tensor) -> Tensor:
        """The expected answer (..., K) on the rater's own scale, from scores (..., K)."""
        cutpoints = self.cutpoints.detach().to(scores.device, scores.dtype)
        return self.lowest + torch.sigmoid(scores[..., None] - cutpoints).sum(-1)

    def _levels(self, scores: Tensor, examples: Sequence[ScoredText]) -> Tensor:
        lowest = self.lowest
        rows = [[int(example.scores.get(axis, lowest - 1)) - lowest for axis in self.axes] for example in examples]
        return torch.tensor(rows, device=scores.device)


# --- Labels ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labels:
    """Logistic regression on several labels at once. One output per tag."""

    tags: tuple[str, ...]

    @classmethod
    def for_examples(cls, examples: Sequence[LabelledText], tags: Sequence[str] | None = None) -> Labels:
        """tags: None takes all that occur. ValueError if every text has a tag, or none has it."""
        return cls(check_labels(examples, tags))

    def check(self, examples: Sequence[Any], names: Sequence[str], learning: bool = True) -> None:
        check_outputs(names, self.tags)
        check_labels(examples, self.tags, learning)

    def losses(self, scores: Tensor, examples: Sequence[Any]) -> Tensor:
        return label_losses(scores[:, 0], self._present(scores, examples))

    def metrics(self, scores: Tensor, examples: Sequence[Any]) -> dict[str, float]:
        """The share of labels predicted correctly. A score above zero predicts that the label is present."""
        return {"accuracy": float(((scores[:, 0] > 0) == (self._present(scores, examples) > 0)).float().mean())}

    def _present(self, scores: Tensor, examples: Sequence[LabelledText]) -> Tensor:
        return _tensor([[float(tag in example.tags) for tag in self.tags] for example in examples], scores)


# --- Checks of pairs ---------------------------------------------------------------------------------


def _refuse_ties(examples: Sequence[Any], ties: int) -> None:
    if ties:
        raise ValueError(
            f"{ties} of {len(examples)} comparisons are ties, which `Pairs` cannot use. Leave them out, or train"
            " with `PairsWithTies.for_examples(examples)`."
        )


def _check_strengths(examples: Sequence[Any], most: int) -> None:
    odd = {getattr(pair, "strength", None) for pair in examples} - {None, *range(1, most + 1)}
    if odd:
        raise ValueError(f"The strength of a preference is 1 to {most}, or None; got {odd}.")


# --- Numbers -----------------------------------------------------------------------------------------


def _places(scores: Tensor, examples: Sequence[Ranking]) -> Tensor:
    """The tier of each text, (n, M); -1 on padding."""
    most = scores.shape[1]
    rows = [[*ranking.places, *[-1] * (most - len(completions_of(ranking)))] for ranking in examples]
    return torch.tensor(rows, device=scores.device)


def _tensor(values: Sequence, like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)


def _mean(x: Tensor) -> float:
    return float(x.mean()) if x.numel() else math.nan


def _log_odds(count: float, total: float, smoothing: float = 0.5) -> float:
    return math.log((count + smoothing) / (total - count + smoothing))
