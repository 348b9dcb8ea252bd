"""Aspects of a text, read off the hidden states of a frozen language model.

A reward model sees a text through a language model's eyes: as hidden states, hundreds of numbers a token.
Here those are averaged over a completion, and a ridge regression, fitted beforehand on texts that nobody
rated, reads a handful of named aspects off them: tone, length, how much is said of food, of the weather,
and so on. Nothing about any person's taste enters here. Which of these aspects a person goes by, and how
much, is what their ratings tell (`few_ratings.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rlhf_lab.few_ratings import PreferencePosterior
from rlhf_lab.models import trunk_and_head
from rlhf_lab.sampling import Rollout

Scorer = Callable[[str, str], float]  # (prompt, completion) -> number


@torch.no_grad()
def text_features(model: nn.Module, rollout: Rollout, batch_size: int = 64) -> Tensor:
    """What a frozen model makes of each completion: (B, F) float32.

    The hidden states over the completion's tokens, averaged, of each layer from the embeddings to the last;
    the logarithm of the completion's length in tokens; and whether it ended by itself.
    """
    trunk, _ = trunk_and_head(model)
    ids, prompt_lengths, lengths = rollout.sequences()
    rows = []
    order = lengths.argsort()
    for part in order.split(batch_size):
        longest = int(lengths[part].max())
        embedded = trunk.get_input_embeddings()(ids[part, :longest])  # as in models.hidden_states
        states = trunk(inputs_embeds=embedded, use_cache=False, output_hidden_states=True).hidden_states
        column = torch.arange(longest, device=ids.device)
        inside = (column >= prompt_lengths[part, None]) & (column < lengths[part, None])  # (b, L)
        weight = (inside / inside.sum(1, keepdim=True)).to(states[0].dtype)  # (b, L)
        means = [torch.einsum("bl,bld->bd", weight, layer).float() for layer in states]
        rows.append(torch.cat(means, 1))
    features = torch.cat(rows)[order.argsort()]  # (B, F - 2)
    return torch.cat([features, rollout.lengths.float().log()[:, None], rollout.ended.float()[:, None]], 1)


class AspectReader:
    """Reads K named aspects of completions, each with mean 0 and standard deviation 1 on the texts it was fitted to."""

    def __init__(self, model: nn.Module, scorers: Mapping[str, Scorer]):
        self.model, self.scorers = model, dict(scorers)
        self.names = tuple(self.scorers)

    def fit(self, rollout: Rollout, ridge: float = 1e-2) -> AspectReader:
        """Fit to B texts, their aspects measured by the scorers; the last fifth is held out. Returns itself.

        ridge: strength of the penalty, as a share of B on standardised features.
        Afterwards `r2` holds, by name, the share of an aspect's variance that is read right on the held-out texts.
        Raises ValueError where there are fewer than 50 texts, or an aspect is the same in all of them.
        """
        if len(rollout) < 50:
            raise ValueError(f"{len(rollout)} texts are too few to fit aspects to: pass at least 50.")
        truth = self.measure(rollout)
        flat = [name for name, sd in zip(self.names, truth.std(0), strict=True) if sd < 1e-8]
        if flat:
            raise ValueError(f"The aspects {flat} are the same in every text, so nothing can be learnt about them.")
        self.truth_mean, self.truth_sd = truth.mean(0), truth.std(0)
        targets = (truth - self.truth_mean) / self.truth_sd
        features = text_features(self.model, rollout).double()
        self.mean, self.sd = features.mean(0), features.std(0).clamp(min=1e-6)
        x = (features - self.mean) / self.sd
        held_out = len(rollout) // 5
        self.r2 = {}
        weight = _ridge(x[:-held_out], targets[:-held_out], ridge)
        residual = targets[-held_out:] - x[-held_out:] @ weight
        share = 1 - residual.var(0) / targets[-held_out:].var(0)
        self.r2 = dict(zip(self.names, share.tolist(), strict=True))
        self.weight = _ridge(x, targets, ridge)  # (F, K), from all texts
        return self

    def measure(self, rollout: Rollout) -> Tensor:
        """The aspects as the scorers measure them on the text itself, (B, K), in the scorers' own units."""
        rows = [
            [scorer(prompt, text) for scorer in self.scorers.values()]
            for prompt, text in zip(rollout.prompts, rollout.texts, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float64, device=rollout.completion_ids.device)

    def __call__(self, rollout: Rollout) -> Tensor:
        """The aspects as read off the hidden states, (B, K) float32."""
        features = text_features(self.model, rollout).double()
        return (((features - self.mean) / self.sd) @ self.weight).float()


class AspectReward:
    """A reward function for the policy gradient: weights on aspects, mean 0 and variance 1 on reference samples.

    The scale matters, because the KL penalty is set against it; the zero does not, because preferences know
    none.
    """

    def __init__(self, reader: AspectReader, posterior: PreferencePosterior, reference: Rollout):
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
        """Rewards (B,)."""
        return (self.reader(rollout) @ self.weights - self.mean) / self.sd


def _ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Weights (F, K) that minimise |y - x w|^2 / B + strength |w|^2."""
    gram = x.T @ x / len(x) + strength * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    return torch.linalg.solve(gram, x.T @ y / len(x))


def aspects_by_id(ids: Sequence[str], aspects: Tensor) -> dict[str, np.ndarray]:
    """Candidate id -> (K,) aspects as numpy, for the question queue, which runs where torch must not."""
    return dict(zip(ids, aspects.double().cpu().numpy(), strict=True))
