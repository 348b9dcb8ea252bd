"""A small version of the whole loop: from a dozen comparisons to a changed model, in about a minute on two cores.

The first notebook goes through these steps cell by cell, and the benchmark with simulated people of different tastes
runs the same functions. Each step is a few lines around parts that later notebooks explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from lessons.attributes import AttributeReader, AttributeReward
from lessons.bayesian_preferences import BALDQueue, PreferencePosterior, SparsePrior, fit_to_ratings
from rlhf_lab.feedback import Item, Record, compare_item
from rlhf_lab.models.loading import trainable_copy
from rlhf_lab.models.sampling import Rollout, sample
from rlhf_lab.training.algorithms import Algorithm, ClippedRatio, GeneralisedAdvantage
from rlhf_lab.training.policy_gradient import PolicyGradientConfig, PolicyResult, train_policy
from rlhf_lab.world import SCORERS, load_corpus, load_prompts, passes_floor

LONGEST_REVIEW = 96  # tokens; longer reviews are cut off
# What a person may care about. Each attribute describes the text; it does not judge it.
ATTRIBUTES = ("tone", "politeness", "specificity", "length", "food", "weather", "people", "animals")
# How the policy is trained: under a minute on two idle cores.
TRAINING = PolicyGradientConfig(
    steps=48, batch_size=64, max_new_tokens=LONGEST_REVIEW, learning_rate=6e-4, kl_coefficient=0.2, samples_shown=1
)
# lam = 1: the reward comes at the end, but the first tokens decide what a review is about and must get credit for it.
# A second pass over the same samples would cost more time than it is worth.
ALGORITHM = Algorithm(GeneralisedAdvantage(lam=1.0), ClippedRatio(), epochs=1, minibatches=2)


@dataclass(frozen=True)
class WholeLoop:
    """Settings of the first notebook. The defaults take about a minute on two cores."""

    questions: int = 16  # comparisons asked for
    fit_texts: int = 4000  # unrated texts that the attributes are fitted to
    pool_prompts: int = 96  # prompts that questions may be about
    pool_samples: int = 4  # completions of each prompt by the starting model
    prior: SparsePrior = field(default_factory=SparsePrior)  # beliefs about a person before the first answer
    seed: int = 0  # for everything random here


def fit_reader(tokenizer, settings: WholeLoop = WholeLoop()) -> AttributeReader:
    """Fit the attribute reader to unrated reviews of the corpus."""
    documents = load_corpus("train", "review")[: settings.fit_texts]
    texts = Rollout.from_texts(tokenizer, [d.prompt for d in documents], [d.completion for d in documents])
    return AttributeReader(len(tokenizer), {name: SCORERS[name] for name in ATTRIBUTES}).fit(texts)


@dataclass(frozen=True)
class Questions:
    """Pairs of texts by the starting model, for a queue to choose from."""

    rollout: Rollout  # all completions of the pool
    items: tuple[Item, ...]  # all pairs that may be asked
    attributes: Mapping[str, object]  # candidate id -> (K,) array
    queue: BALDQueue


def write_questions(
    model: nn.Module, tokenizer, reader: AttributeReader, settings: WholeLoop = WholeLoop()
) -> Questions:
    """Let the model write several reviews of each of a few places, and pair decent ones of the same place."""
    generator = torch.Generator().manual_seed(settings.seed)
    prompts = load_prompts("train", "review")[: settings.pool_prompts]
    n = settings.pool_samples
    rollout = sample(
        model,
        tokenizer,
        [prompt for prompt in prompts for _ in range(n)],
        max_new_tokens=LONGEST_REVIEW,
        generator=generator,
    )
    values = reader(rollout).cpu().double().numpy()  # (B, K): the queue runs where torch must not
    # An answer about a malformed text would be about its mistakes, not about taste.
    fit = [passes_floor(prompt, text) for prompt, text in zip(rollout.prompts, rollout.texts, strict=True)]
    items, attributes = {}, {}
    for start in range(0, len(rollout), n):
        for i in range(start, start + n):
            for j in range(i + 1, start + n):
                if rollout.texts[i] == rollout.texts[j] or not (fit[i] and fit[j]):
                    continue
                item = compare_item(rollout.prompts[i], rollout.texts[i], rollout.texts[j], policies=("start", "start"))
                items[item.item_id] = item
                for candidate, row in zip(item.candidates, (i, j), strict=True):
                    attributes[candidate.id] = values[row]
    posterior = PreferencePosterior(reader.names, settings.prior)
    queue = BALDQueue(list(items.values()), attributes, posterior, settings.questions, settings.seed)
    return Questions(rollout, tuple(items.values()), attributes, queue)


def fit_reward(
    records: Sequence[Record], reader: AttributeReader, questions: Questions, settings: WholeLoop = WholeLoop()
) -> tuple[PreferencePosterior, AttributeReward]:
    """The posterior over the person's weights, and the reward function that follows from it."""
    posterior = fit_to_ratings(PreferencePosterior(reader.names, settings.prior), records, questions.attributes)
    return posterior, AttributeReward(reader, posterior, questions.rollout)


def improve(
    model: nn.Module,
    tokenizer,
    reward: AttributeReward,
    settings: WholeLoop = WholeLoop(),
    training: PolicyGradientConfig | None = None,
    callback: Callable[[dict], None] | None = None,
) -> tuple[nn.Module, PolicyResult]:
    """Train a copy of the model with PPO against the reward: (policy, result). The model itself is not changed."""
    policy = trainable_copy(model)
    result = train_policy(
        policy,
        model,
        reward,
        tokenizer,
        load_prompts("train", "review"),
        ALGORITHM,
        training or TRAINING,
        callback=callback,
        generator=torch.Generator().manual_seed(settings.seed),
    )
    return policy, result
