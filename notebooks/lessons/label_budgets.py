"""Which kind of feedback gives the best reward model for the same amount of a rater's time?

A *pool* has several completions for each of many prompts. In a *sitting*, a simulated rater answers questions of one
kind about texts of the pool, at a given `Pace`, until the time is up. The answers train a reward model. All reward
models are measured in the same way, on `KnownPairs`: pairs of texts with a known probability of being preferred.

The seconds are assumptions, not measurements. They are written down in `Pace`; try others.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from rlhf_lab.evaluation import accuracy_ceiling, expected_accuracy
from rlhf_lab.feedback.pairs import PreferencePair, TiedPair, answered_pair
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.sampling import sample
from rlhf_lab.models.tokens import encode_completions, encode_prompts
from rlhf_lab.objectives.masked import at_least_float32
from rlhf_lab.training.reward_examples import LabelledText, Ranking, ScoredText
from rlhf_lab.training.reward_objectives import Labels, Objective, Pairs, PairsWithTies, Rankings, Scores
from rlhf_lab.world import SimulatedRater, Taste

READ_AT_ONCE = {"compare": 2, "score": 1, "rank": 4, "label": 1, "edit": 1}  # completions in a question
CONTENDERS = tuple(READ_AT_ONCE)  # the kinds of feedback, comparisons first: the others are measured against them
LIKED = "liked"  # the only label used here: a thumbs-up
Pool = Sequence[tuple[str, Sequence[str]]]  # (prompt, its completions)


@dataclass(frozen=True)
class Pace:
    """How long an answer takes, in seconds: reading everything, deciding and, for an edit, writing."""

    words_read_a_minute: float = 240.0  # 238 for English non-fiction, read in silence (Brysbaert 2019)
    words_written_a_minute: float = 20.0  # 19 for composing at a keyboard (Karat et al. 1999)
    # Seconds to decide after reading. These have no source: two seconds for the easiest, more for harder decisions.
    compare: float = 2.0  # this one or that one
    score: float = 3.0  # where on a scale of seven
    rank: float = 6.0  # the order of four
    label: float = 2.0  # a thumbs-up or none
    edit: float = 3.0  # what to change, before writing

    def seconds(self, kind: str, prompt: str, texts: Sequence[str], edited: str | None = None) -> float:
        """Seconds for one answer. edited: the text after an edit; only its new words need time to write."""
        words = len(prompt.split()) + sum(len(text.split()) for text in texts)
        total = 60 * words / self.words_read_a_minute + getattr(self, kind)
        if edited is not None:
            total += 60 * new_words(texts[0], edited) / self.words_written_a_minute
        return total


def new_words(before: str, after: str) -> int:
    """How many words of `after` were not kept, in order, from `before`."""
    old, new = before.split(), after.split()
    kept = sum(block.size for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks())
    return len(new) - kept


@dataclass(frozen=True)
class Sitting:
    """What a rater answered within the time limit."""

    kind: str
    examples: list[Any] = field(repr=False)  # what a reward model of this kind learns from
    answers: int  # how many, including those that teach nothing ("both bad", an edit without a change)
    seconds: float  # how long they took

    @property
    def objective(self) -> Objective:
        """The training objective for these examples. ValueError if there is nothing to learn from them."""
        if self.kind == "score":
            return Scores.for_examples(self.examples)
        if self.kind == "label":
            return Labels.for_examples(self.examples)
        if any(isinstance(example, TiedPair) for example in self.examples):
            return PairsWithTies.for_examples(self.examples)
        return Rankings() if self.kind == "rank" else Pairs()

    @property
    def outputs(self) -> int | list[str]:
        """The `outputs` of a reward model for these examples: a single one."""
        return {"score": ["overall"], "label": [LIKED]}.get(self.kind, 1)


def write_pool(
    model: nn.Module, tokenizer, prompts: Sequence[str], completions: int = 4, longest: int = 64, seed: int = 0
) -> list[tuple[str, list[str]]]:
    """Sample this many completions of each prompt. Prompts with two equal completions are left out."""
    asked = [prompt for prompt in prompts for _ in range(completions)]
    generator = torch.Generator().manual_seed(seed)
    rollout = sample(model, tokenizer, asked, max_new_tokens=longest, generator=generator)
    rows = [rollout.texts[i : i + completions] for i in range(0, len(asked), completions)]
    return [(prompt, texts) for prompt, texts in zip(prompts, rows, strict=True) if len(set(texts)) == completions]


def sitting(
    kind: str, pool: Pool, taste: Taste, seconds: float, pace: Pace = Pace(), seed: int = 0, **failings: Any
) -> Sitting:
    """A simulated rater answers questions of one kind until the time is up.

    Prompts come in random order. Each is asked about once before any is asked about again with its other completions.
    An answer that would exceed the time limit is not given.
    seconds: the time limit; with infinity, the rater goes through the whole pool.
    failings: settings of the `SimulatedRater`, such as its temperature.
    ValueError for an unknown kind, and if the pool runs out before the time does: then it should be larger.
    """
    if kind not in CONTENDERS:
        raise ValueError(f"The kinds of feedback are {', '.join(CONTENDERS)}; got {kind!r}.")
    scale = {"scale": (0, 1)} if kind == "label" else {}  # a thumbs-up is a score with two levels
    rater = SimulatedRater(taste, seed=seed, **scale, **failings)
    examples, answers, used = [], 0, 0.0
    for prompt, texts in _questions(kind, pool, seed):
        said = _ask(kind, rater, prompt, texts)
        takes = pace.seconds(kind, prompt, texts, said if kind == "edit" else None)
        if used + takes > seconds:
            return Sitting(kind, examples, answers, used)
        answers, used = answers + 1, used + takes
        examples += _examples(kind, prompt, texts, said)
    if math.isinf(seconds):
        return Sitting(kind, examples, answers, used)
    raise ValueError(
        f"The pool of {len(pool)} prompts has no more {kind!r} questions after {used:.0f} of {seconds:.0f} seconds."
        " Write completions of more prompts."
    )


def _questions(kind: str, pool: Pool, seed: int):
    """(prompt, texts) in random order, in rounds: the first texts of all prompts, then the next ones."""
    order, size = random.Random(seed).sample(list(pool), len(pool)), READ_AT_ONCE[kind]
    for start in range(0, max(len(texts) for _, texts in order), size):
        for prompt, texts in order:
            if len(texts) >= start + size:
                yield prompt, texts[start : start + size]


def _ask(kind: str, rater: SimulatedRater, prompt: str, texts: Sequence[str]) -> Any:
    if kind == "rank":
        return rater.rank(prompt, texts)
    return getattr(rater, "score" if kind == "label" else kind)(prompt, *texts)


def _examples(kind: str, prompt: str, texts: Sequence[str], said: Any) -> list[Any]:
    """The training examples from one answer: one or none."""
    if kind == "rank":
        return [Ranking(prompt, tuple(tuple(texts[place] for place in tier) for tier in said))]
    if kind == "score":
        return [ScoredText(prompt, texts[0], said)]
    if kind == "label":
        return [LabelledText(prompt, texts[0], frozenset([LIKED] if said["overall"] else []))]
    if kind == "edit":
        return [PreferencePair(prompt, said, texts[0], prompt)] if said != texts[0] else []
    pair = answered_pair(prompt, *texts, said)
    return [] if pair is None else [pair]


class ReadOnce(RewardModel):
    """A reward model with a frozen trunk, which caches the features of every text it has read.

    So many heads on one trunk, as in a learning curve, cost little more than one head.
    """

    def __init__(self, trunk: nn.Module, generator: torch.Generator | None = None, outputs: int | Sequence[str] = 1):
        super().__init__(trunk, generator, outputs)
        self.requires_grad_(False)
        self.readings: dict[tuple[int, ...], Tensor] = {}

    def with_new_head(self, outputs: int | Sequence[str] = 1, generator: torch.Generator | None = None) -> "ReadOnce":
        """A new head on the same trunk, sharing the cache."""
        other = ReadOnce(self.trunk, generator, outputs).to(self.head.weight.device)
        other.readings = self.readings
        return other

    @torch.no_grad()
    def features_of(self, rows: Sequence[Sequence[int]], micro_batch_tokens: int = 2048) -> Tensor:
        """As in RewardModel."""
        rows = [tuple(row) for row in rows]
        if unread := list(dict.fromkeys(row for row in rows if row not in self.readings)):
            self.readings.update(zip(unread, super().features_of(unread, micro_batch_tokens), strict=True))
        return torch.stack([self.readings[row] for row in rows])

    @torch.no_grad()
    def score_texts(
        self, tokenizer, prompts: Sequence[str], completions: Sequence[str], micro_batch_tokens: int = 2048
    ):
        """As in RewardModel."""
        prompts, completions = encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions)
        rows = [prompt + completion for prompt, completion in zip(prompts, completions, strict=True)]
        scores = at_least_float32(self.head(self.features_of(rows, micro_batch_tokens).to(self.head.weight.dtype)))
        return scores if len(self.names) > 1 else scores[:, 0]


class KnownPairs:
    """All N pairs of completions of a prompt in a pool, with the probabilities (N,) that a rater prefers the first."""

    def __init__(self, pool: Pool, rater: SimulatedRater):
        """ValueError if the rater has no noise, because then there are no probabilities."""
        self.prompts = [prompt for prompt, texts in pool for _ in texts]
        self.texts = [text for _, texts in pool for text in texts]
        pairs, start = [], 0
        for _, texts in pool:
            pairs += combinations(range(start, start + len(texts)), 2)
            start += len(texts)
        self.first, self.second = torch.tensor(pairs).T
        chances = [rater.probability_left(self.prompts[i], self.texts[i], self.texts[j]) for i, j in pairs]
        if None in chances:
            raise ValueError(f"{rater!r} never errs, so there are no chances. Give it a temperature above zero.")
        self.chances = torch.tensor(chances)

    def __len__(self) -> int:
        return len(self.chances)

    @property
    def ceiling(self) -> float:
        """How often the best possible model agrees with the rater."""
        return accuracy_ceiling(self.chances)

    def scores(self, reward_model: RewardModel, tokenizer) -> Tensor:
        """The reward of every text, averaged over the model's outputs if it has several."""
        scores = reward_model.score_texts(tokenizer, self.prompts, self.texts).cpu()
        return scores if scores.ndim == 1 else scores.mean(1)

    def accuracy(self, scores: Tensor) -> float:
        """How often the texts' rewards (T,) agree with the rater, see `evaluation.expected_accuracy`."""
        return expected_accuracy(scores[self.first] - scores[self.second], self.chances)

    def measure(self, reward_model: RewardModel, tokenizer) -> float:
        """`accuracy` of a reward model."""
        return self.accuracy(self.scores(reward_model, tokenizer))
