"""Attributes of a text, read off the tokens that the language model writes it in.

A reward model sees a text through a language model's eyes, and the first thing those see is tokens: one of
a few thousand features at each position. Here the tokens of a completion are counted, and a ridge regression,
fitted beforehand on texts that nobody rated, reads a handful of named attributes off the counts: tone, length, how
much is said of food, of the weather, and so on. Nothing about any person's taste enters here. Which of these
attributes a person goes by, and how much, is what their ratings tell (`few_ratings.py`).

Why not the hidden states of the last layer, as a reward model trained on thousands of ratings would use? They
know more, but a linear reading of them is a little wrong everywhere, and a policy that is trained against
it finds out where: the reward then rises and the text does not get better. Counts are read almost exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rlhf_lab.lessons.bayesian_preferences import PreferencePosterior
from rlhf_lab.models.sampling import Rollout

Scorer = Callable[[str, str], float]  # (prompt, completion) -> number
SHRINK = 10.0  # tokens; see text_features


def text_features(rollout: Rollout, vocabulary: int) -> Tensor:
    """What each completion is made of: (B, vocabulary + 2) float64, on the CPU, because not every device has float64.

    How often each token occurs in its n tokens, divided by n + SHRINK (a plain share, SHRINK = 0, would take one
    glad word for as much gladness as a page of them); the logarithm of n; and n / (n + SHRINK).
    """
    n = rollout.lengths.cpu().double()[:, None]  # (B, 1)
    counts = torch.zeros(len(rollout), vocabulary, dtype=torch.float64)
    counts.scatter_add_(1, rollout.completion_ids.cpu(), rollout.completion_mask.cpu().double())
    return torch.cat([counts / (n + SHRINK), n.log(), n / (n + SHRINK)], 1)


class AttributeReader:
    """Reads K named attributes of completions, with mean 0 and standard deviation 1 on the texts it was fitted to."""

    def __init__(self, vocabulary: int, scorers: Mapping[str, Scorer]):
        self.vocabulary, self.scorers = vocabulary, dict(scorers)
        self.names = tuple(self.scorers)

    def fit(self, rollout: Rollout, ridge: float = 1e-7) -> AttributeReader:
        """Fit to B texts, their attributes measured by the scorers; the last fifth is held out. Returns itself.

        ridge: strength of the penalty on squared weights, against the mean squared error.
        Afterwards `r2` holds, by name, the share of an attribute's variance that is read right on the held-out texts.
        Raises ValueError where there are fewer than 50 texts, or an attribute is the same in all of them.
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
        """The attributes as the scorers measure them on the text itself, (B, K), in the scorers' own units."""
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
    """Share of a completion's runs of n tokens that occurred in it before, (B,); 0 where nothing is said twice."""
    shares = []
    for row, length in zip(rollout.completion_ids.tolist(), rollout.lengths.tolist(), strict=True):
        runs = [tuple(row[i : i + n]) for i in range(length - n + 1)]
        shares.append(1 - len(set(runs)) / len(runs) if runs else 0.0)
    return torch.tensor(shares, device=rollout.completion_ids.device)


def low_probability_tokens(rollout: Rollout, probability: float = 5e-4) -> Tensor:
    """How many tokens of a completion its writer itself had found next to impossible, (B,).

    A model that samples draws such a token now and then, and mostly it is where a sentence breaks.
    """
    return ((rollout.log_probs < math.log(probability)) & rollout.completion_mask).sum(1)


class AttributeReward:
    """A reward function for the policy gradient: weights on attributes, mean 0 and variance 1 on reference samples.

    The scale matters, because the KL penalty is set against it; the zero does not, because preferences know
    none. Two things are taken for granted of every reader: nobody likes to read the same words twice, or a sentence
    that breaks off. The starting model seldom does either, so few ratings would tell, and a policy that is paid for
    glad words, or for many, finds out.
    """

    DISLIKE_OF_REPETITION = 10.0  # what a text loses that only repeats itself, in standard deviations
    DISLIKE_OF_LOW_PROBABILITY = 2.0  # what a text loses for each slip, in standard deviations
    ENOUGH = 2.0  # rewards level off there, in standard deviations: what is far beyond all rated texts is a guess

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
    used = x.abs().amax(0) > 0  # most of a vocabulary never occurs in reviews: leaving it out is five times faster
    x_used = x[:, used]
    gram = x_used.T @ x_used / len(x) + strength * torch.eye(x_used.shape[1], dtype=x.dtype, device=x.device)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype, device=x.device)
    weight[used] = torch.linalg.solve(gram, x_used.T @ y / len(x))
    return weight
