"""Training examples of a reward model, for each kind of feedback, and how their texts become token ids.

    pairs      anything with `prompt`, `chosen` and `rejected`, and optionally `strength` and `weight`.
               Edits are pairs too: the rewritten text is chosen over the original (`feedback.preference_pairs`)
    ties       anything with `prompt`, `first` and `second` (`feedback.tied_pairs`)
    rankings   `Ranking`: tiers of texts, the best first
    scores     `ScoredText`: numbers on some axes
    labels     `LabelledText`: tags

A `weight` says how much an example counts (default 1). Every completion is taken to be finished.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlhf_lab.feedback import Record
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.models.loading import check_vocabulary, context_length
from rlhf_lab.models.reward_model import RewardModel
from rlhf_lab.models.tokens import encode_completions, encode_prompts


@dataclass(frozen=True)
class Ranking:
    """Completions of one prompt in tiers, the best tier first. Completions in the same tier are tied."""

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
    """The rankings among ratings, in the order they were made. Records and events both work.

    Skips, gold answers and retracted answers are left out.
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
    """The texts of an example of any kind. For a pair: chosen, rejected."""
    if hasattr(example, "chosen"):
        return example.chosen, example.rejected
    if hasattr(example, "first"):
        return example.first, example.second
    return tuple(example.completions)


def weight_of(example: Any) -> float:
    """How much an example counts."""
    return float(getattr(example, "weight", 1.0))


def answer_of(example: Any) -> tuple:
    """The answer given for an example, in a form that shows whether two examples with the same texts agree."""
    tiers = [len(tier) for tier in getattr(example, "tiers", ())]
    scores, tags = sorted(getattr(example, "scores", {}).items()), sorted(getattr(example, "tags", ()))
    return is_tie(example), getattr(example, "strength", None), tiers, scores, tags, weight_of(example)


def self_preferences(examples: Sequence[Any], rows: Sequence[Sequence[Sequence]]) -> list[int]:
    """Indices of the pairs and rankings that prefer a text to itself. rows: the texts of each, as `tokenise` or
    `completions_of` gives them, to be compared by token ids or by characters.

    Both sides always get the same reward, so nothing can be learned from them.
    """
    found = []
    for i, (example, texts) in enumerate(zip(examples, rows, strict=True)):
        places = (0, 1) if hasattr(example, "chosen") else getattr(example, "places", ())
        first: dict[tuple[int, ...], int] = {}
        if any(first.setdefault(tuple(text), place) != place for text, place in zip(texts, places, strict=False)):
            found.append(i)
    return found


def tokenise(reward_model: RewardModel, tokenizer, examples: Sequence[Any]) -> list[list[list[int]]]:
    """Token ids of each text of each example, prompt and completion together, with the end token.

    ValueError, naming the example, for an empty prompt, no completion, or a text too long for the model; also if there
    are no examples.
    """
    if len(examples) == 0:
        raise ValueError("There are no ratings to learn from. Rate some first: a dozen show the idea.")
    rows, limit = _rows(tokenizer, examples), context_length(reward_model.trunk)
    check_vocabulary(reward_model.trunk, max(max(text) for texts in rows for text in texts))
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
    """The examples whose texts all fit into the model. Report how many this drops: the long ones are not random."""
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


# --- Checks: can examples be evaluated, and can a reward model learn from them? ----------------------
# ValueError if not. learning=False skips the second check, because held-out examples may all be alike.


def is_tie(pair: Any) -> bool:
    """Whether a comparison is a tie."""
    return hasattr(pair, "first") and not hasattr(pair, "chosen")


def check_pairs(examples: Sequence[Any], learning: bool = True) -> int:
    """All examples are comparisons; for learning, not all are ties. Returns the number of ties."""
    for i, example in enumerate(examples):
        if not (hasattr(example, "chosen") or hasattr(example, "first")):
            raise ValueError(f"Example {i} is a {type(example).__name__}, not a pair of a chosen and a rejected text.")
    ties = sum(map(is_tie, examples))
    if learning and examples and ties == len(examples):
        raise ValueError(f"All {ties} comparisons are ties: nothing says which texts are better. Rate some more.")
    return ties


def check_rankings(examples: Sequence[Any], learning: bool = True) -> None:
    """All examples are rankings of at least two texts; for learning, at least one prefers some text to another."""
    check_kind(examples, Ranking)
    for i, ranking in enumerate(examples):
        if len(ranking.completions) < 2:
            raise ValueError(
                f"Ranking {i} has {len(ranking.completions)} completions; there is nothing to rank in fewer than"
                f" two. Leave it out; its prompt begins {ranking.prompt[:40]!r}."
            )
    if learning and all(max(ranking.places) == 0 for ranking in examples):
        raise ValueError(f"All {len(examples)} rankings are ties throughout: nothing says which texts are better.")


def check_kind(examples: Sequence[Any], kind: type) -> None:
    """Every example is of this kind."""
    for i, example in enumerate(examples):
        if not isinstance(example, kind):
            raise ValueError(f"Example {i} is a {type(example).__name__}; this objective learns from {kind.__name__}s.")


def check_outputs(names: Sequence[str], wanted: Sequence[str]) -> None:
    """The reward model has exactly the outputs that the objective needs, in this order."""
    if tuple(names) != tuple(wanted):
        raise ValueError(
            f"The reward model has outputs {tuple(names)}, the objective needs {tuple(wanted)}. Make the model with"
            f" RewardModel.from_language_model(model, outputs={list(wanted)})."
        )


def check_scores(
    examples: Sequence[Any],
    axes: Sequence[str] | None,
    levels: tuple[int, int] | None = None,
    learning: bool = True,
) -> tuple[str, ...]:
    """Scores are finite and, if given, on `levels`; for learning, they differ. Returns the axes (None: all found)."""
    check_kind(examples, ScoredText)
    axes = _all_or(axes, (axis for example in examples for axis in example.scores), "axis", len(examples))
    for axis in axes:
        given = [example.scores[axis] for example in examples if axis in example.scores]
        if not all(math.isfinite(score) for score in given):
            raise ValueError(f"A score on the axis {axis!r} is not a finite number: {given}.")
        if learning and len(set(given)) < 2:
            raise ValueError(
                f"The {len(given)} scores on the axis {axis!r} are all the same ({set(given) or 'none'}), so nothing"
                " can be learned about it. Leave it out: name the other axes."
            )
        odd = [score for score in given if levels and not (score == int(score) and levels[0] <= score <= levels[1])]
        if odd:
            raise ValueError(f"The axis {axis!r} has a score of {odd[0]}; its levels are {levels[0]} to {levels[1]}.")
    return axes


def check_labels(examples: Sequence[Any], tags: Sequence[str] | None, learning: bool = True) -> tuple[str, ...]:
    """For learning, each tag is on some texts but not on all. Returns the tags (None: all found)."""
    check_kind(examples, LabelledText)
    tags = _all_or(tags, sorted({tag for example in examples for tag in example.tags}), "tag", len(examples))
    for tag in tags:
        count = sum(tag in example.tags for example in examples)
        if learning and count in (0, len(examples)):
            raise ValueError(
                f"{'Every' if count else 'No'} text of {len(examples)} is labelled {tag!r}, so nothing can be learned"
                " about it. Leave it out: name the other tags."
            )
    return tags


def _all_or(chosen: Sequence[str] | None, found: Iterable[str], what: str, count: int) -> tuple[str, ...]:
    """The chosen names, or all found ones if None, without repeats."""
    names = tuple(dict.fromkeys(found if chosen is None else chosen))
    if count and not names:
        raise ValueError(f"None of {count} texts has any {what}: there is nothing to learn from.")
    return names
