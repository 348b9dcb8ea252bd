"""Did it get better? Win rates with intervals, from blind comparisons.

A win rate from a dozen comparisons is more uncertain than most people expect. So every function here returns an
interval with its estimate, and "inconclusive" is a possible verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rlhf_lab.feedback import Item, Record, compare_item, effective
from rlhf_lab.feedback.shares import wilson_interval


@dataclass(frozen=True)
class WinRate:
    """Wins, losses and ties of a contender against a rival, and its win rate with a confidence interval."""

    wins: int
    ties: int
    losses: int
    confidence: float = 0.95  # coverage of the interval

    @property
    def comparisons(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def estimate(self) -> float:
        """Share of comparisons won, counting ties as half; NaN if there are none."""
        return (self.wins + 0.5 * self.ties) / self.comparisons if self.comparisons else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.wins + 0.5 * self.ties, self.comparisons, self.confidence)

    @property
    def verdict(self) -> str:
        """Better, worse or inconclusive (the interval includes one half)."""
        low, high = self.interval
        return "better" if low > 0.5 else "worse" if high < 0.5 else "inconclusive"

    def __str__(self) -> str:
        if not self.comparisons:
            return "no comparisons yet"
        low, high = self.interval
        return (
            f"preferred in {100 * self.estimate:.0f} of 100 ({self.wins} won, {self.ties} tied, {self.losses} lost;"
            f" {self.confidence:.0%} interval {100 * low:.0f} to {100 * high:.0f}): {self.verdict}"
        )


def win_rate(outcomes: Iterable[str], confidence: float = 0.95) -> WinRate:
    """Count outcomes "win", "tie" and "loss". Raises ValueError for any other word."""
    counts = {"win": 0, "tie": 0, "loss": 0}
    for outcome in outcomes:
        if outcome not in counts:
            raise ValueError(f"An outcome is 'win', 'tie' or 'loss', not {outcome!r}.")
        counts[outcome] += 1
    return WinRate(counts["win"], counts["tie"], counts["loss"], confidence)


def win_rate_by(
    utility: Callable[[str, str], float],
    prompts: Sequence[str],
    contender: Sequence[str],
    rival: Sequence[str],
    confidence: float = 0.95,
) -> WinRate:
    """Win rate under a known utility(prompt, completion): what a simulated rater without noise would say."""
    if not len(prompts) == len(contender) == len(rival):
        raise ValueError(
            f"Pass two completions for each prompt; got {len(prompts)} prompts, {len(contender)} and {len(rival)}."
        )
    outcomes = []
    for prompt, ours, theirs in zip(prompts, contender, rival, strict=True):
        gap = utility(prompt, ours) - utility(prompt, theirs)
        outcomes.append("win" if gap > 0 else "loss" if gap < 0 else "tie")
    return win_rate(outcomes, confidence)


def blind_items(
    prompts: Sequence[str],
    contender: Sequence[str],
    rival: Sequence[str],
    names: tuple[str, str] = ("after", "before"),
) -> list[Item]:
    """Comparison items of two models' completions, for a `RatingSession` to ask blind.

    Each candidate records its model (`policy`), but the rater never sees it, and the session shuffles the sides.
    """
    return [
        compare_item(prompt, ours, theirs, policies=names)
        for prompt, ours, theirs in zip(prompts, contender, rival, strict=True)
    ]


def win_rate_from_records(records: Iterable[Record], contender: str = "after", confidence: float = 0.95) -> WinRate:
    """Win rate of the policy named `contender` from comparison records; "both bad" counts as a tie.

    Events work as well as records: answers that were taken back do not count.
    """
    outcomes = []
    for record in effective(records):
        if record.winner is None:
            continue
        policies = {candidate.id: candidate.policy for candidate in record.candidates}
        if contender not in policies.values():
            raise ValueError(f"No candidate of the policy {contender!r} in the comparison {record.item_id!r}.")
        if record.winner in ("tie", "both_bad"):
            outcomes.append("tie")
        else:
            outcomes.append("win" if policies[record.winner] == contender else "loss")
    return win_rate(outcomes, confidence)
