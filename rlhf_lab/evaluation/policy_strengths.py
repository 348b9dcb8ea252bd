"""Who is how strong: Bradley-Terry strengths of policies (or of texts, or raters) from who beat whom.

Import this module by its name; it needs numpy, which most of `rlhf_lab.feedback` does not.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from rlhf_lab.feedback.errors import FeedbackError
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.feedback.records import Record


@dataclass(frozen=True)
class Strengths:
    """Bradley-Terry strengths: P(a beats b) = sigmoid(strength a - strength b). Their mean is 0."""

    names: tuple[str, ...]
    values: np.ndarray  # (N,) log-strengths
    covariance: np.ndarray  # (N, N)
    confidence: float = 0.95

    def __getitem__(self, name: str) -> float:
        return float(self.values[self.names.index(name)])

    def interval(self, name: str, against: str | None = None) -> tuple[float, float]:
        """Interval for a strength, or for its lead over another one. A lead whose interval has no 0 in it is clear."""
        row = np.zeros(len(self.names))
        row[self.names.index(name)] += 1
        if against is not None:
            row[self.names.index(against)] -= 1
        half = NormalDist().inv_cdf(0.5 + self.confidence / 2) * math.sqrt(max(row @ self.covariance @ row, 0.0))
        return float(row @ self.values - half), float(row @ self.values + half)

    def probability(self, name: str, other: str) -> float:
        """P(name beats other)."""
        return 1 / (1 + math.exp(self[other] - self[name]))


def bradley_terry(
    results: Iterable[tuple[str, str] | tuple[str, str, float]],
    prior: float = 0.0,
    confidence: float = 0.95,
    steps: int = 10_000,
) -> Strengths:
    """Fit strengths to (winner, loser) results by maximum likelihood (Bradley and Terry 1952; Hunter 2004).

    A result may carry a third number, its weight; a tie is half a win each way: (a, b, 0.5) and (b, a, 0.5).
    prior: adds that many wins and as many losses of each contestant against a phantom of average strength. Without
    one there is no finite answer where some contestants never lost to (or never met) the others: FeedbackError.

    The maximum is found by Hunter's MM algorithm, which never overshoots; intervals come from the curvature there.
    """
    results = [(*result, 1.0)[:3] for result in results]
    names = tuple(sorted({name for winner, loser, _ in results for name in (winner, loser)}))
    place = {name: i for i, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))  # (N, N): how often row beat column
    for winner, loser, weight in results:
        if winner == loser or weight < 0:
            raise FeedbackError(f"A result is (winner, loser), two contestants; got {(winner, loser, weight)!r}.")
        wins[place[winner], place[loser]] += weight
    if prior <= 0:
        _check_connected(names, wins)
    games, won = wins + wins.T, wins.sum(1) + prior
    strength = np.ones(len(names))
    for _ in range(steps):
        met = (games / (strength[:, None] + strength)).sum(1) + 2 * prior / (strength + 1.0)
        new = _centred(won / met, prior)
        done = np.abs(np.log(new / strength)).max(initial=0.0) < 1e-10
        strength = new
        if done:
            break
    share = strength[:, None] / (strength[:, None] + strength)
    information = -games * share * share.T
    np.fill_diagonal(information, 0.0)
    phantom = strength / (1 + strength)
    np.fill_diagonal(information, -information.sum(1) + 2 * prior * phantom * (1 - phantom))
    centre = np.eye(len(names)) - 1 / max(len(names), 1)  # strengths are known up to a constant: their mean is 0
    covariance = centre @ np.linalg.pinv(information, hermitian=True) @ centre
    values = np.log(strength)
    return Strengths(names, values - values.mean() if names else values, covariance, confidence)


def _centred(strength: np.ndarray, prior: float) -> np.ndarray:
    """The strengths times the number that suits the prior best (without one: that makes their mean 0).

    Games only tell about differences, so the MM algorithm would find the common level very slowly by itself.
    """
    level = -np.log(strength).sum() / max(len(strength), 1)
    if prior > 0:
        for _ in range(20):  # Newton's method: the phantom is beaten by as many as it beats
            share = 1 / (1 + np.exp(-np.log(strength) - level))
            level -= np.clip((share - 0.5).sum() / max((share * (1 - share)).sum(), 1e-9), -1, 1)
    return strength * np.exp(level)


def results_by_policy(records: Iterable[Record]) -> list[tuple[str, str, float]]:
    """Comparisons and rankings as results between the policies that wrote the texts; ties as half a win each way.

    "Both bad" is no tie in quality, and two texts of one policy are no contest: neither gives a result.
    """
    results = []
    for record in ratings(records):
        policy = {candidate.id: candidate.policy for candidate in record.candidates}
        if record.kind == "rank":
            tiers = record.value
        elif record.kind == "compare" and record.winner != "both_bad":
            ids = list(policy)
            tiers = [ids] if record.winner == "tie" else [[record.winner], [i for i in ids if i != record.winner]]
        else:
            continue
        for better, worse in combinations(tiers, 2):
            results += [(policy[a], policy[b], 1.0) for a in better for b in worse]
        for tier in tiers:
            for a, b in combinations(tier, 2):
                results += [(policy[a], policy[b], 0.5), (policy[b], policy[a], 0.5)]
    return [result for result in results if result[0] != result[1]]


def _check_connected(names: Sequence[str], wins: np.ndarray) -> None:
    """Ford's condition (1957): from everybody one gets to everybody else along wins."""
    reach = (wins > 0) | np.eye(len(names), dtype=bool)
    for middle in range(len(names)):
        reach |= np.outer(reach[:, middle], reach[middle])
    if not reach.all():
        a, b = np.argwhere(~reach)[0]
        raise FeedbackError(
            f"{names[a]!r} never beat {names[b]!r}, nor anybody who did, so their distance has no finite estimate."
            " Collect more comparisons, or pass a prior such as prior=0.5."
        )
