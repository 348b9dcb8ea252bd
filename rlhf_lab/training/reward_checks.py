"""Whether examples can be judged, and whether they can teach a reward model anything; ValueError if not.

`learning` false asks only for the first: held-out examples may all be alike.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from rlhf_lab.training.reward_examples import LabelledText, Ranking, ScoredText


def is_tie(pair: Any) -> bool:
    """Whether a comparison is a tie."""
    return hasattr(pair, "first") and not hasattr(pair, "chosen")


def check_pairs(examples: Sequence[Any], learning: bool = True) -> int:
    """The number of ties; all examples are comparisons, and to learn from them not all are ties."""
    for i, example in enumerate(examples):
        if not (hasattr(example, "chosen") or hasattr(example, "first")):
            raise ValueError(f"Example {i} is a {type(example).__name__}, not a pair of a chosen and a rejected text.")
    ties = sum(map(is_tie, examples))
    if learning and examples and ties == len(examples):
        raise ValueError(f"All {ties} comparisons are ties: nothing says which texts are better. Rate some more.")
    return ties


def check_rankings(examples: Sequence[Any], learning: bool = True) -> None:
    """All are rankings of two texts or more, and to learn from them not all are ties throughout."""
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
    """The reward model has the outputs that the objective gives a meaning to, in this order."""
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
    """The axes (None: all that occur); scores are finite and, if there are levels, levels; to learn, they differ."""
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
    """The tags (None: all that occur); to learn, some texts have each of them and some have not."""
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
    """The chosen names, or all that were found, each once."""
    names = tuple(dict.fromkeys(found if chosen is None else chosen))
    if count and not names:
        raise ValueError(f"None of {count} texts has any {what}: there is nothing to learn from.")
    return names
