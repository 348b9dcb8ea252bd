"""Attributes of a text, predicted from the tokens it consists of.

We count the tokens of a completion, and a ridge regression predicts a handful of named attributes from the counts:
tone, length, how much it says about food, about the weather, and so on. The regression is fitted beforehand, on texts
that nobody rated, so it knows nothing about anybody's taste. A person's ratings then tell which of these attributes
matter to them, and how much (`bayesian_preferences.py`).

Why not use the hidden states of the last layer, as a reward model trained on thousands of ratings does? They contain
more, but a linear prediction from them is slightly wrong everywhere. A policy trained against it exploits these errors:
the reward rises, but the text does not get better. From counts, the prediction is almost exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lessons.bayesian_preferences import PreferencePosterior
from rlhf_lab.models.sampling import Rollout

Scorer = Callable[[str, str], float]  # (prompt, completion) -> number
SHRINK = 10.0  # tokens; see text_features


def text_features(rollout: Rollout, vocabulary: int) -> Tensor:
    """Features of each completion, (B, vocabulary + 2) float64, on the CPU, because not every device has float64.

    They are the count of each token divided by n + SHRINK, then log n, then n / (n + SHRINK). Without SHRINK, a text of
    one glad word would be as glad as a page of glad words.
    """
    n = rollout.lengths.cpu().double()[:, None]  # (B, 1)
    counts = torch.zeros(len(rollout), vocabulary, dtype=torch.float64)
    counts.scatter_add_(1, rollout.completion_ids.cpu(), rollout.completion_mask.cpu().double())
    return torch.cat([counts / (n + SHRINK), n.log(), n / (n + SHRINK)], 1)


class AttributeReader:
    """Predicts K named attributes of completions, scaled to mean 0 and standard deviation 1 on the fitted texts."""

    def __init__(self, vocabulary: int, scorers: Mapping[str, Scorer]):
        self.vocabulary, self.scorers = vocabulary, dict(scorers)
        self.names = tuple(self.scorers)

    def fit(self, rollout: Rollout, ridge: float = 1e-7) -> AttributeReader:
        """Fit to B texts and the attributes that the scorers measure on them. Returns itself.

        ridge: strength of the penalty on squared weights, relative to the mean squared error.
        Afterwards `r2` holds each attribute's R^2 on the last fifth of the texts, from a fit to the others.
        Raises ValueError for fewer than 50 texts, or if an attribute is the same in all of them.
        """
        if len(rollout) < 50:
            raise ValueError(f"{len(rollout)} texts are too few to fit attributes to: pass at least 50.")
        truth = self.measure(rollout)
        flat = [name for name, sd in zip(self.names, truth.std(0), strict=True) if sd < 1e-8]
        if flat:
            raise ValueError(f"The attributes {flat} are the same in every text, so nothing can be learnt about them.")
        targets = (truth - truth.mean(0)) / truth.std(0)
        features = text_features(rollout, self.vocabulary)
        self.mean = features.mean(0)
        x = features - self.mean
        held_out = len(rollout) // 5
        weight = _ridge(x[:-held_out], targets[:-held_out], ridge)
        residual = targets[-held_out:] - x[-held_out:] @ weight
        share = 1 - residual.var(0) / targets[-held_out:].var(0)
        self.r2 = dict(zip(self.names, share.tolist(), strict=True))
        self.weight = _ridge(x, targets, ridge)  # (F, K), from all texts
        return self

    def measure(self, rollout: Rollout) -> Tensor:
        """The attributes that the scorers measure on the texts, (B, K), in the scorers' own units."""
        rows = [
            [scorer(prompt, text) for scorer in self.scorers.values()]
            for prompt, text in zip(rollout.prompts, rollout.texts, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def __call__(self, rollout: Rollout) -> Tensor:
        """The attributes as read off the tokens, (B, K) float32 on the rollout's device."""
        values = (text_features(rollout, self.vocabulary) - self.mean) @ self.weight
        return values.float().to(rollout.completion_ids.device)


def repeated_share(rollout: Rollout, n: int = 5) -> Tensor:
    """Share of a completion's n-token sequences that already occurred earlier in it, (B,)."""
    shares = []
    for row, length in zip(rollout.completion_ids.tolist(), rollout.lengths.tolist(), strict=True):
        runs = [tuple(row[i : i + n]) for i in range(length - n + 1)]
        shares.append(1 - len(set(runs)) / len(runs) if runs else 0.0)
    return torch.tensor(shares, device=rollout.completion_ids.device)


def low_probability_tokens(rollout: Rollout, probability: float = 5e-4) -> Tensor:
    """How many tokens of a completion had a lower probability than this when they were sampled, (B,).

    Sampling draws such a token now and then, usually where a sentence goes wrong.
    """
    return ((rollout.log_probs < math.log(probability)) & rollout.completion_mask).sum(1)


class AttributeReward:
    """A reward function for the policy gradient: a weighted sum of attributes, minus penalties for bad writing.

    The sum has mean 0 and variance 1 on reference samples. The scale matters, because the KL penalty is weighed against
    it; the zero does not, because preferences only know differences. We assume that every reader dislikes repetition
    and broken sentences. The starting model seldom produces either, so a few ratings cannot show it. But a policy that
    is rewarded for glad words, or for many words, would discover both.
    """

    DISLIKE_OF_REPETITION = 10.0  # penalty if all of a text is repetition, in standard deviations
    DISLIKE_OF_LOW_PROBABILITY = 2.0  # penalty for each improbable token, in standard deviations
    ENOUGH = 2.0  # rewards saturate here, in standard deviations: far beyond all rated texts they are guesses

    def __init__(self, reader: AttributeReader, posterior: PreferencePosterior, reference: Rollout):
        weights, _ = posterior.weights()
        self.reader = reader
        self.weights = torch.tensor(weights, dtype=torch.float32, device=reference.completion_ids.device)
        scores = reader(reference) @ self.weights
        self.mean, self.sd = scores.mean(), scores.std()
        if not self.sd > 1e-6:
            raise ValueError(
                "The reward is the same for every text: the ratings (all ties, or none) name no preference yet."
                " Rate more pairs and choose a side where you can."
            )

    def __call__(self, rollout: Rollout) -> Tensor:
        """Rewards (B,), never above ENOUGH."""
        reward = (self.reader(rollout) @ self.weights - self.mean) / self.sd
        liked = self.ENOUGH * torch.tanh(reward / self.ENOUGH)
        return (
            liked
            - self.DISLIKE_OF_REPETITION * repeated_share(rollout)
            - self.DISLIKE_OF_LOW_PROBABILITY * low_probability_tokens(rollout)
        )


def _ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Weights (F, K) that minimise |y - x w|^2 / B + strength |w|^2. Features that are always 0 get weight 0."""
    used = x.abs().amax(0) > 0  # most tokens never occur in reviews: leaving them out is five times faster
    x_used = x[:, used]
    gram = x_used.T @ x_used / len(x) + strength * torch.eye(x_used.shape[1], dtype=x.dtype, device=x.device)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype, device=x.device)
    weight[used] = torch.linalg.solve(gram, x_used.T @ y / len(x))
    return weight
