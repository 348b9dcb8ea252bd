"""A language model so small that nothing about it needs to be estimated.

There are V tokens, and a completion has exactly T of them, so all V^T completions can be listed. The policy is a table
with one row of V logits for each prefix of a completion. So it is autoregressive like any language model, and it can
represent every distribution over completions. Expectations are exact sums, not averages over samples: the expected
reward, the KL of completions, their gradients (by autograd), and the optimal policy. So whatever an algorithm estimates
from samples can be compared with the exact value.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rlhf_lab.models.sampling import Rollout
from rlhf_lab.objectives.kl import closed_form_policy
from rlhf_lab.training.algorithms import Algorithm, Experience


@dataclass(frozen=True)
class TabularModel:
    """All N = V^T completions of T tokens out of V. A policy is a table (R, V) of logits, one row for each prefix."""

    vocabulary: int = 5  # V
    length: int = 3  # T

    def __post_init__(self) -> None:
        if self.vocabulary < 2 or self.length < 1:
            raise ValueError(
                f"There must be at least two tokens to choose from and one to write; got a vocabulary of"
                f" {self.vocabulary} and a length of {self.length}."
            )
        if self.vocabulary**self.length > 100_000:
            raise ValueError(f"{self.vocabulary}^{self.length} completions are too many to list. Take fewer tokens.")

    @cached_property
    def completions(self) -> Tensor:
        """Token ids (N, T), in the order of numbers in base V."""
        return torch.tensor(list(itertools.product(range(self.vocabulary), repeat=self.length)))

    @cached_property
    def rows(self) -> Tensor:
        """Index (N, T) of the table row with the logits for each token of each completion."""
        first, columns = 0, []
        number = torch.zeros(self.vocabulary**self.length, dtype=torch.long)  # the prefix, read as a number
        for t, tokens in enumerate(self.completions.T):
            columns.append(first + number)
            first, number = first + self.vocabulary**t, self.vocabulary * number + tokens
        return torch.stack(columns, 1)

    @property
    def beginnings(self) -> int:
        """The number of prefixes, R = 1 + V + ... + V^(T - 1)."""
        return sum(self.vocabulary**t for t in range(self.length))

    def random_table(self, generator: torch.Generator, scale: float = 1.0) -> Tensor:
        """Normally distributed logits (R, V), float64."""
        return scale * torch.randn(self.beginnings, self.vocabulary, generator=generator, dtype=torch.float64)

    def log_probs(self, table: Tensor) -> Tensor:
        """Log-probabilities (N, T) of each token of each completion, given its prefix."""
        return table.log_softmax(-1)[self.rows].gather(2, self.completions[..., None]).squeeze(2)

    def table_of(self, log_probs: Tensor) -> Tensor:
        """The table (R, V) of a distribution over completions, given as log-probabilities (N,)."""
        if log_probs.shape != (self.vocabulary**self.length,):
            raise ValueError(
                f"Expected one log-probability for each of {self.vocabulary**self.length} completions;"
                f" got the shape {tuple(log_probs.shape)}."
            )
        blocks = []
        for t in range(self.length):  # P(prefix and next token), summed over all continuations
            blocks.append(log_probs.reshape(self.vocabulary**t, self.vocabulary, -1).logsumexp(2))
        return torch.cat(blocks).log_softmax(-1)

    def expected_reward(self, table: Tensor, reward: Tensor) -> Tensor:
        """E[R] of the policy, a scalar. reward: (N,), of each completion."""
        return (self.log_probs(table).sum(1).exp() * reward).sum()

    def kl(self, table: Tensor, reference: Tensor) -> Tensor:
        """KL(policy || reference) of whole completions, in nats, a scalar."""
        log_p = self.log_probs(table).sum(1)
        return (log_p.exp() * (log_p - self.log_probs(reference).sum(1))).sum()

    def objective(self, table: Tensor, reference: Tensor, reward: Tensor, beta: float) -> Tensor:
        """J = E[R] - beta KL(policy || reference), a scalar."""
        return self.expected_reward(table, reward) - beta * self.kl(table, reference)

    def optimum(self, reference: Tensor, reward: Tensor, beta: float) -> Tensor:
        """Log-probabilities (N,) of the policy that maximises J: reference exp(R / beta) / Z."""
        return closed_form_policy(self.log_probs(reference).sum(1), reward, beta)

    def draw(self, table: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Indices (count,) of completions, drawn from the policy."""
        return torch.multinomial(self.log_probs(table).sum(1).exp(), count, replacement=True, generator=generator)

    def sampled_gradient(
        self,
        algorithm: Algorithm,
        table: Tensor,
        reference: Tensor,
        reward: Tensor,
        beta: float,
        drawn: Tensor,
        group_size: int = 4,
    ) -> Tensor:
        """The gradient (R, V) of J, as an algorithm of `training.algorithms` estimates it in its first update.

        drawn: indices (B,) of completions sampled from the policy, for example by `draw`. All are answers to the same
        prompt, in groups of group_size. If the algorithm needs a value head, all its values are zero.
        """
        with torch.no_grad():
            old, log_reference = self.log_probs(table)[drawn], self.log_probs(reference)[drawn]
        count = len(drawn)
        prompt = torch.zeros(count, 1, dtype=torch.long)
        mask, ended = torch.ones(count, self.length, dtype=torch.bool), torch.ones(count, dtype=torch.bool)
        texts = ["p"] * count, ["c"] * count
        rollout = Rollout(*texts, prompt, prompt == 0, self.completions[drawn], mask, old, ended)
        values = torch.zeros_like(old)
        experience = Experience(rollout, reward[drawn], log_reference, values, group_size, beta)
        minibatch = algorithm.compute_advantages(experience).minibatch(torch.arange(count), algorithm.surrogate.average)

        def loss(table: Tensor) -> Tensor:
            return algorithm.loss(minibatch, self.log_probs(table)[drawn], values)[0]

        return -gradient(loss, table)


def gradient(function: Callable[[Tensor], Tensor], table: Tensor) -> Tensor:
    """Gradient (R, V) of a scalar function of the table, by autograd."""
    table = table.detach().clone().requires_grad_(True)
    function(table).backward()
    return table.grad


def climb(function: Callable[[Tensor], Tensor], table: Tensor, steps: int = 600, learning_rate: float = 0.1) -> Tensor:
    """The table (R, V) after gradient ascent on `function`, by Adam with a decaying learning rate.

    Adam's beta_2 is only 0.95, because the gradients of rare prefixes shrink quickly.
    """
    table = table.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([table], lr=learning_rate, betas=(0.9, 0.95), eps=1e-12)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (-function(table)).backward()
        optimizer.step()
        schedule.step()
    return table.detach()
