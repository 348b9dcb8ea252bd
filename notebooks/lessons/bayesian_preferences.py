"""A reward from a dozen ratings: a Bayesian Bradley-Terry model over a few attributes of a text.

Sixteen answers carry at most sixteen bits. That is far too little to find a direction among the hundreds of features of
a language model. But it is enough to find out which two or three of a dozen attributes (tone, length, topics, ...)
matter to a person. So this file adds two kinds of prior knowledge:

- the reward is linear in a few *attributes*, each standardised to mean 0 and standard deviation 1;
- only a *few* of them matter to a person: a spike-and-slab prior. Each set of at most three attributes is one
  hypothesis, in which all other weights are near zero.

Each hypothesis is a Bayesian logistic regression on differences of attributes, fitted by Laplace's method (MacKay 1992,
"The evidence framework applied to classification networks"). Hypotheses are averaged by their evidence. The same
posterior says which question to ask next: the one with the most informative answer, in expectation (Houlsby et al.
2011, "Bayesian active learning for classification and preference learning", eq. 2).

Everything here is numpy on small arrays, because it runs between two clicks of a rating panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from rlhf_lab.feedback import Item, Record


@dataclass(frozen=True)
class SparsePrior:
    """Beliefs about a person's weights before the first answer."""

    slab: float = 3.0  # standard deviation of the weight of an attribute that matters, in logits per sd
    spike: float = 0.1  # standard deviation of the weight of one that does not
    # P(exactly 1, 2, 3 attributes matter). Its length is the largest number considered.
    sizes: tuple[float, ...] = (0.6, 0.3, 0.1)
    # Attributes that matter to everybody, in every hypothesis, and their weights: (mean, standard deviation).
    shared: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class PreferencePosterior:
    """Beliefs about the weights w (K,) of a reward r(x) = w . attributes(x), given comparisons.

    A mixture of Gaussians, one for each hypothesis: `log_weight` (H,), `mean` (H, K), `covariance` (H, K, K).
    """

    def __init__(self, names: Sequence[str], prior: SparsePrior | None = None):
        self.names = tuple(names)
        self.prior = prior or SparsePrior()
        unknown = set(self.prior.shared) - set(self.names)
        if unknown:
            raise ValueError(f"The prior names {sorted(unknown)}, which are not among the attributes {self.names}.")
        free = [k for k, name in enumerate(self.names) if name not in self.prior.shared]
        sizes = self.prior.sizes[: len(free)]
        self.hypotheses = [set(s) for size in range(1, len(sizes) + 1) for s in combinations(free, size)]
        counts = {size: sum(len(s) == size for s in self.hypotheses) for size in range(1, len(sizes) + 1)}
        self.log_prior = np.log([sizes[len(s) - 1] / counts[len(s)] for s in self.hypotheses])
        self.prior_mean = np.array([self.prior.shared.get(name, (0.0, 0.0))[0] for name in self.names])
        self.prior_sd = np.array(
            [
                [
                    self.prior.shared[name][1]
                    if name in self.prior.shared
                    else self.prior.slab
                    if k in chosen
                    else self.prior.spike
                    for k, name in enumerate(self.names)
                ]
                for chosen in self.hypotheses
            ]
        )  # (H, K)
        self.update(np.zeros((0, len(self.names))), np.zeros(0))

    def update(self, differences: np.ndarray, outcomes: np.ndarray) -> PreferencePosterior:
        """Fit to all comparisons at once; returns itself.

        differences: (N, K), attributes of the first completion minus those of the second.
        outcomes: (N,), 1 if the first was preferred, 0 if the second was, 0.5 for a tie (counted as half a win each).

        Raises ValueError for shapes that do not fit and for values that are not finite.
        """
        x, y = np.asarray(differences, float), np.asarray(outcomes, float)
        if x.ndim != 2 or x.shape[1] != len(self.names) or y.shape != x.shape[:1]:
            raise ValueError(
                f"Expected differences (N, {len(self.names)}) and outcomes (N,), got {x.shape} and {y.shape}."
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ValueError("An attribute is NaN or infinite: one of the rated texts could not be read.")
        precision = 1.0 / self.prior_sd**2  # (H, K)
        w = np.tile(self.prior_mean, (len(self.hypotheses), 1))  # (H, K)

        def curvature(p: np.ndarray) -> np.ndarray:
            """Minus the Hessian of the log posterior, (H, K, K), for outcome probabilities p (H, N)."""
            return np.einsum("hn,nk,nl->hkl", p * (1 - p), x, x) + precision[:, :, None] * np.eye(len(self.names))

        for _ in range(100):  # Newton's method; the objective is concave, so a few steps are enough
            p = _sigmoid(w @ x.T)  # (H, N)
            gradient = (y - p) @ x - precision * (w - self.prior_mean)
            step = np.linalg.solve(curvature(p), gradient[..., None])[..., 0]
            # Far from the optimum a full step can overshoot: bound each to one slab.
            w += step * np.minimum(1.0, self.prior.slab / np.maximum(np.abs(step).max(1, keepdims=True), 1e-12))
            if np.abs(step).max() < 1e-8:
                break
        logits = w @ x.T
        hessian = curvature(_sigmoid(logits))
        log_likelihood = (y * _log_sigmoid(logits) + (1 - y) * _log_sigmoid(-logits)).sum(1)
        log_prior_density = -0.5 * (precision * (w - self.prior_mean) ** 2).sum(1) + 0.5 * np.log(precision).sum(1)
        evidence = log_likelihood + log_prior_density - 0.5 * np.linalg.slogdet(hessian)[1]
        self.log_weight = evidence + self.log_prior
        self.log_weight -= np.logaddexp.reduce(self.log_weight)
        self.mean, self.covariance = w, np.linalg.inv(hessian)
        return self

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and standard deviation of every weight, (K,) and (K,)."""
        share = np.exp(self.log_weight)
        mean = share @ self.mean
        second = share @ (np.einsum("hkk->hk", self.covariance) + self.mean**2)
        return mean, np.sqrt(np.maximum(second - mean**2, 0.0))

    def matters(self) -> np.ndarray:
        """P(attribute k matters to this person), (K,); 1 for the shared ones."""
        inside = np.array([[k in chosen for k in range(len(self.names))] for chosen in self.hypotheses])
        result = np.exp(self.log_weight) @ inside
        result[[name in self.prior.shared for name in self.names]] = 1.0
        return result

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` weight vectors from the posterior, (count, K)."""
        share = np.exp(self.log_weight)
        which = rng.choice(len(share), size=count, p=share / share.sum())
        noise = rng.standard_normal((count, len(self.names)))
        root = np.linalg.cholesky(self.covariance[which])
        return self.mean[which] + np.einsum("ckl,cl->ck", root, noise)

    def information(self, differences: np.ndarray, rng: np.random.Generator, draws: int = 256) -> np.ndarray:
        """Expected information of asking each pair, in bits: H(E p) - E H(p). differences (N, K) -> (N,)."""
        p = _sigmoid(np.asarray(differences) @ self.sample(draws, rng).T)  # (N, draws)
        return np.maximum(_bits(p.mean(1)) - _bits(p).mean(1), 0.0)


class BALDQueue:
    """Asks the most informative pair, given the answers so far. A queue for a `RatingSession`.

    items: N comparison items with two candidates each. attributes: candidate id -> (K,) standardised attributes.
    No prompt is shown twice while there are others left. The choice depends only on the answers and the seed, so a
    restarted notebook continues with the same question.
    """

    def __init__(
        self,
        items: Sequence[Item],
        attributes: Mapping[str, np.ndarray],
        posterior: PreferencePosterior,
        length: int = 16,
        seed: int = 0,
    ):
        if not items:
            raise ValueError("There are no pairs to ask about: pass at least one comparison item.")
        self.items, self.attributes, self.posterior = list(items), attributes, posterior
        self.length, self.seed = min(length, len(items)), seed
        self.differences = np.array(
            [attributes[item.candidates[0].id] - attributes[item.candidates[1].id] for item in self.items]
        )  # (N, K)

    def __len__(self) -> int:
        return self.length

    def next_item(self, records: Sequence[Record]) -> Item | None:
        """The next pair to ask, or None when enough were asked. Uses only numpy, because widget callbacks run it."""
        if sum(record.status == "submitted" for record in records) >= self.length:
            return None  # a skipped question is replaced by another
        seen = {record.item_id for record in records}
        fit_to_ratings(self.posterior, records, self.attributes)
        gain = self.posterior.information(self.differences, np.random.default_rng([self.seed, len(seen)]))
        prompts_seen = {record.prompt for record in records}
        fresh = np.array([item.prompt not in prompts_seen for item in self.items])
        unseen = np.array([item.item_id not in seen for item in self.items])
        allowed = unseen & fresh if (unseen & fresh).any() else unseen
        if not allowed.any():
            return None
        return self.items[int(np.argmax(np.where(allowed, gain, -1.0)))]


def fit_to_ratings(
    posterior: PreferencePosterior, records: Sequence[Record], attributes: Mapping[str, np.ndarray]
) -> PreferencePosterior:
    """Update the posterior from comparison records. Candidates without known attributes are left out.

    A tie counts as half a win for each. "Both bad" and skipped items are left out: they say nothing about the order.
    """
    differences, outcomes = [], []
    for record in records:
        ids = [candidate.id for candidate in record.candidates]
        if record.winner in (None, "both_bad") or not all(i in attributes for i in ids):
            continue
        differences.append(attributes[ids[0]] - attributes[ids[1]])
        outcomes.append(0.5 if record.winner == "tie" else float(record.winner == ids[0]))
    return posterior.update(np.array(differences).reshape(-1, len(posterior.names)), np.array(outcomes))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(_log_sigmoid(x))


def _log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0.0, -x)


def _bits(p: np.ndarray) -> np.ndarray:
    """Entropy of a coin with P(heads) = p, in bits."""
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
