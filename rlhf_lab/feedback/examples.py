"""From answers to examples of single completions; and how to split examples or pairs into training and test.

Unpaired examples (for KTO and classifiers) say whether one completion is good:

    compare   the winner is good, the other is bad; after "both bad" both are bad
    score     good above the threshold, bad below it
    label     good without a fault, bad with any fault
    rank      the first tier is good, the last is bad, unless all are tied
    edit      the rewritten text is good, the original is bad, unless nothing was changed

Prompt-completion examples (for supervised fine-tuning) are the completions that are good in this sense. Comparisons and
rankings only say what is *better*; that the better one is good is an assumption.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import mean
from typing import Any

from rlhf_lab.feedback.errors import FeedbackError
from rlhf_lab.feedback.kinds import unknown_kind
from rlhf_lab.feedback.pairs import has_fault, ratings
from rlhf_lab.feedback.records import Record


@dataclass(frozen=True)
class UnpairedExample:
    """A completion that was judged good or bad."""

    prompt: str
    completion: str
    label: bool  # true: good
    group: str  # the prompt; examples of one group stay together when data is split


@dataclass(frozen=True)
class CompletionExample:
    """A completion worth imitating."""

    prompt: str
    completion: str
    group: str  # as in UnpairedExample


def unpaired_examples(
    records: Iterable[Record],
    axis: str | None = None,
    threshold: float | None = None,
    good_tags: Collection[str] = (),
) -> list[UnpairedExample]:
    """What answers of any kind say about single completions, in the order of the answers.

    axis: which score counts; None takes the mean of all.
    threshold: a score above it is good, one below it is bad, an equal one is ignored. None takes each rater's own mean
        over these records, because one rater's 4 is another's 6.
    good_tags: labels that are not faults. Every other label is a fault.

    Ties, skips, answers taken back and gold answers give no examples. Events work as well as records.
    """
    records = ratings(records)
    means = {}
    for rater in {record.rater_id for record in records}:
        scores = [score for r in records if r.rater_id == rater and (score := _score(r, axis)) is not None]
        means[rater] = mean(scores) if scores else None
    found = []
    for record in records:
        limit = means[record.rater_id] if threshold is None else threshold
        found += [
            UnpairedExample(record.prompt, text, label, record.prompt)
            for text, label in _judgements(record, axis, limit, good_tags)
        ]
    return found


def completion_examples(
    records: Iterable[Record],
    axis: str | None = None,
    threshold: float | None = None,
    good_tags: Collection[str] = (),
) -> list[CompletionExample]:
    """The completions worth imitating, each once, in the order of the answers. Parameters as above."""
    good = [example for example in unpaired_examples(records, axis, threshold, good_tags) if example.label]
    unique = dict.fromkeys((example.prompt, example.completion) for example in good)
    return [CompletionExample(prompt, completion, prompt) for prompt, completion in unique]


def split_by_group(examples: Iterable[Any], test_share: float = 0.2, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """Split into (training, test): about `test_share` of the groups go to the test set, each group as a whole.

    Texts for one prompt resemble each other, so a test set that shares prompts with the training set measures memory.
    examples: anything with a `group`; records are grouped by prompt. Their order is kept, and does not affect the
    split. With at least two groups, neither part is empty, unless test_share is 0 or 1.
    """
    if not 0 <= test_share <= 1:
        raise FeedbackError(f"test_share is between 0 and 1; got {test_share}.")
    examples = list(examples)
    groups = sorted({_group(example) for example in examples}, key=lambda group: _place(seed, group))
    count = round(test_share * len(groups))
    if 0 < test_share < 1 and len(groups) > 1:
        count = min(max(count, 1), len(groups) - 1)
    test = set(groups[:count])
    return [e for e in examples if _group(e) not in test], [e for e in examples if _group(e) in test]


def _judgements(
    record: Record, axis: str | None, limit: float | None, good_tags: Collection[str]
) -> list[tuple[str, bool]]:
    """(text, whether it is good) for every text that the record judges."""
    texts = {candidate.id: candidate.text for candidate in record.candidates}
    value = record.value
    if record.kind == "compare":
        if value["winner"] == "both_bad":
            return [(text, False) for text in texts.values()]
        good = {value["winner"]} if value["winner"] in texts else set()
        return _sorted_out(texts, good, set(texts) - good) if good else []
    if record.kind == "rank":
        return _sorted_out(texts, set(value[0]), set(value[-1])) if len(value) > 1 else []
    if record.kind == "edit":
        base = texts[value["base_id"]]
        return [(value["text"], True)] + ([(base, False)] if base != value["text"] else [])
    if record.kind == "label":
        return [(record.candidates[0].text, not has_fault(record, good_tags))]
    if record.kind == "score":
        score = _score(record, axis)
        return [] if score is None or score == limit else [(record.candidates[0].text, score > limit)]
    raise unknown_kind(record.kind, "unpaired_examples")


def _sorted_out(texts: dict[str, str], good: set[str], bad: set[str]) -> list[tuple[str, bool]]:
    """The good and the bad texts, without those that are both because two candidates have the same text."""
    clash = {texts[each] for each in good} & {texts[each] for each in bad}
    return [(text, each in good) for each, text in texts.items() if each in good | bad and text not in clash]


def _score(record: Record, axis: str | None) -> float | None:
    if record.kind != "score":
        return None
    return mean(record.value.values()) if axis is None else record.value.get(axis)


def _group(example: Any) -> str:
    return example.prompt if isinstance(example, Record) else example.group


def _place(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{group}".encode("utf-8", "surrogatepass")).digest()
