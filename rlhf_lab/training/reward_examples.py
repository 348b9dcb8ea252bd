"""What a reward model is trained on, for each kind of feedback, and how its texts become token ids.

    pairs      anything with `prompt`, `chosen` and `rejected`; `strength` and `weight` if it has them.
               An edit is one too: the rewritten text is chosen over the original (`feedback.preference_pairs`)
    ties       anything with `prompt`, `first` and `second` (`feedback.tied_pairs`)
    rankings   `Ranking`: tiers of texts, the best first
    scores     `ScoredText`: numbers on some axes
    labels     `LabelledText`: tags

A `weight` says how much an example counts; without one it counts 1. Every completion is taken as ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlhf_lab.feedback import Record
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.models import context_length
from rlhf_lab.reward_models import RewardModel
from rlhf_lab.tokens import encode_completions, encode_prompts


@dataclass(frozen=True)
class Ranking:
    """Completions of one prompt in tiers, the best first; those of one tier are tied."""

    prompt: str
    tiers: tuple[tuple[str, ...], ...]
    weight: float = 1.0

    @property
    def completions(self) -> tuple[str, ...]:
        """All texts, the best first."""
        return tuple(text for tier in self.tiers for text in tier)

    @property
    def places(self) -> tuple[int, ...]:
        """The tier of each text of `completions`, from 0."""
        return tuple(place for place, tier in enumerate(self.tiers) for _ in tier)

    @property
    def group(self) -> str:
        """Examples of one group stay together when data is split."""
        return self.prompt


@dataclass(frozen=True)
class ScoredText:
    """A completion with the scores that somebody gave it, {axis: number}."""

    prompt: str
    completion: str
    scores: Mapping[str, float]
    weight: float = 1.0

    @property
    def completions(self) -> tuple[str]:
        return (self.completion,)

    @property
    def group(self) -> str:
        """Examples of one group stay together when data is split."""
        return self.prompt


@dataclass(frozen=True)
class LabelledText:
    """A completion with the tags that somebody gave it, perhaps none."""

    prompt: str
    completion: str
    tags: frozenset[str]
    weight: float = 1.0

    @property
    def completions(self) -> tuple[str]:
        return (self.completion,)

    @property
    def group(self) -> str:
        """Examples of one group stay together when data is split."""
        return self.prompt


def rankings(records: Iterable[Record]) -> list[Ranking]:
    """The rankings among ratings, in the order they were made.

    Skips, gold answers and what was taken back give none. Events work as well as records.
    """
    return [
        Ranking(record.prompt, tuple(tuple(record.candidate(each).text for each in tier) for tier in record.value))
        for record in ratings(records)
        if record.kind == "rank"
    ]


def scored_texts(records: Iterable[Record]) -> list[ScoredText]:
    """The scores among ratings, in the order they were made; what counts is as in `rankings`."""
    return [
        ScoredText(record.prompt, record.candidates[0].text, dict(record.value))
        for record in ratings(records)
        if record.kind == "score"
    ]


def labelled_texts(records: Iterable[Record]) -> list[LabelledText]:
    """The labels among ratings, in the order they were made; what counts is as in `rankings`."""
    return [
        LabelledText(record.prompt, record.candidates[0].text, frozenset(record.value))
        for record in ratings(records)
        if record.kind == "label"
    ]


def completions_of(example: Any) -> tuple[str, ...]:
    """The texts of an example of any kind: of a pair the chosen one and the rejected one."""
    if hasattr(example, "chosen"):
        return example.chosen, example.rejected
    if hasattr(example, "first"):
        return example.first, example.second
    return tuple(example.completions)


def weight_of(example: Any) -> float:
    """How much an example counts."""
    return float(getattr(example, "weight", 1.0))


def contradictions(pairs: Iterable[Any]) -> int:
    """How many pairs stand against another one that prefers the same two texts the other way round.

    Bradley-Terry sees no error in them: two of them alone are fitted best by a difference of zero.
    """
    pairs = [(pair.prompt, pair.chosen, pair.rejected) for pair in pairs]
    seen = set(pairs)
    return sum((prompt, rejected, chosen) in seen for prompt, chosen, rejected in pairs)


def tokenise(reward_model: RewardModel, tokenizer, examples: Sequence[Any]) -> list[list[list[int]]]:
    """Token ids of each text of each example, prompt and completion together, with the end token.

    Raises ValueError on no examples, one without a completion, an empty prompt, or a text that is longer than the
    model reads, naming the example.
    """
    if len(examples) == 0:
        raise ValueError("There are no ratings to learn from. Rate some first: a dozen show the idea.")
    rows, limit = _rows(tokenizer, examples), context_length(reward_model.trunk)
    for i, texts in enumerate(rows):
        longest = max(map(len, texts))
        if longest > limit:
            raise ValueError(
                f"Example {i} has a text of {longest} tokens, but the model reads at most {limit}. Shorten it, or"
                " leave such examples out with `examples_that_fit`; its prompt begins"
                f" {examples[i].prompt[:40]!r}."
            )
    return rows


def examples_that_fit(reward_model: RewardModel, tokenizer, examples: Sequence[Any]) -> list[Any]:
    """The examples all of whose texts the model can read whole. Say how many are left out: they are the long ones."""
    limit = context_length(reward_model.trunk)
    rows = _rows(tokenizer, examples) if len(examples) else []
    return [example for example, texts in zip(examples, rows, strict=True) if max(map(len, texts)) <= limit]


def _rows(tokenizer, examples: Sequence[Any]) -> list[list[list[int]]]:
    prompts = encode_prompts(tokenizer, [example.prompt for example in examples])
    texts = [completions_of(example) for example in examples]
    for i, completions in enumerate(texts):
        if not completions:
            raise ValueError(
                f"Example {i} has a prompt but no completion: nothing was rated. Its prompt begins"
                f" {examples[i].prompt[:40]!r}."
            )
    encoded = iter(encode_completions(tokenizer, [text for completions in texts for text in completions]))
    return [[prompt + next(encoded) for _ in completions] for prompt, completions in zip(prompts, texts, strict=True)]
