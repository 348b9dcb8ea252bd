"""Datasets in the formats of TRL: https://huggingface.co/docs/trl/dataset_formats

    preference          {"prompt", "chosen", "rejected"}, with margins also "margin"   DPO, reward model
    unpaired            {"prompt", "completion", "label"}                              KTO
    prompt-completion   {"prompt", "completion"}                                       SFT

Standard: texts. Conversational: messages, for models with a chat template (see `formats.messages`). The rows go
into `datasets.Dataset.from_list(rows)`. A row says nothing of groups and weights: split by group before the export.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.feedback.examples import CompletionExample, UnpairedExample
from rlhf_lab.feedback.formats.messages import from_messages, is_chat, shared_start, to_messages
from rlhf_lab.feedback.formats.rows import converted, pairs_of, text_of
from rlhf_lab.feedback.pairs import PreferencePair, check_pairs

# The reward difference that a preference of each strength asks for: the smaller margins of Touvron et al. (2023,
# Llama 2, table 27); nothing where nobody said.
MARGINS = {None: 0.0, 1: 1 / 3, 2: 2 / 3, 3: 1.0}

Row = dict[str, Any]


def to_preference(pairs: Iterable[PreferencePair], conversational: bool = False, margins: bool = False) -> list[Row]:
    """Rows of the preference format. margins: add what `RewardTrainer` takes for its margin loss, see MARGINS."""
    rows = []
    for pair in check_pairs(pairs):
        texts = (pair.prompt, pair.chosen, pair.rejected)
        row = dict(zip(("prompt", "chosen", "rejected"), to_messages(*texts) if conversational else texts, strict=True))
        rows.append({**row, "margin": MARGINS[pair.strength]} if margins else row)
    return rows


def to_unpaired(examples: Iterable[UnpairedExample], conversational: bool = False) -> list[Row]:
    """Rows of the unpaired preference format."""
    return [{**_row(e.prompt, e.completion, conversational), "label": e.label} for e in examples]


def to_prompt_completion(examples: Iterable[CompletionExample], conversational: bool = False) -> list[Row]:
    """Rows of the prompt-completion format."""
    return [_row(example.prompt, example.completion, conversational) for example in examples]


def from_preference(rows: Iterable[Mapping[str, Any]], plain: bool = True) -> list[PreferencePair]:
    """Pairs from rows of the preference format, standard or conversational; a warning counts rows of two equal texts.

    Where "prompt" is missing, it is the messages that both chats begin with. plain: see `formats.messages`.
    RecordError, naming the row, for one that is not of this format.
    """
    return pairs_of(rows, lambda row: _pair(row, plain))


def from_unpaired(rows: Iterable[Mapping[str, Any]], plain: bool = True) -> list[UnpairedExample]:
    """Examples from rows of the unpaired format; else as `from_preference`."""

    def example(row: Mapping[str, Any]) -> UnpairedExample:
        if not isinstance(row.get("label"), bool):
            raise RecordError(f"It needs a label, true or false; got {shown(row.get('label'))}.")
        prompt, completion = _texts(row, "completion", plain)
        return UnpairedExample(prompt, completion, row["label"], prompt)

    return converted(rows, example)


def from_prompt_completion(rows: Iterable[Mapping[str, Any]], plain: bool = True) -> list[CompletionExample]:
    """Examples from rows of the prompt-completion format; else as `from_preference`."""
    texts = converted(rows, lambda row: _texts(row, "completion", plain))
    return [CompletionExample(prompt, completion, prompt) for prompt, completion in texts]


def _row(prompt: str, completion: str, conversational: bool) -> Row:
    texts = to_messages(prompt, completion) if conversational else (prompt, completion)
    return dict(zip(("prompt", "completion"), texts, strict=True))


def _pair(row: Mapping[str, Any], plain: bool) -> PreferencePair | None:
    if "prompt" not in row and is_chat(row.get("chosen")) and is_chat(row.get("rejected")):
        row = {**row, **_without_prompt(row["chosen"], row["rejected"])}
    prompt, chosen = _texts(row, "chosen", plain)
    _, rejected = _texts(row, "rejected", plain)
    if chosen == rejected:
        return None
    return PreferencePair(prompt, chosen, rejected, prompt, _strength(row.get("margin")))


def _texts(row: Mapping[str, Any], key: str, plain: bool) -> tuple[str, str]:
    if is_chat(row.get("prompt")) and is_chat(row.get(key)):
        return from_messages(row["prompt"], row[key], plain)
    return text_of(row, "prompt"), text_of(row, key)


def _without_prompt(chosen: Any, rejected: Any) -> Row:
    """The messages that both chats begin with, as the prompt, and what is left of each."""
    prompt = shared_start(chosen, rejected)
    return {"prompt": prompt, "chosen": chosen[len(prompt) :], "rejected": rejected[len(prompt) :]}


def _strength(margin: Any) -> int | None:
    """The strength that asks for this margin; None for no margin."""
    if margin is None:
        return None
    for strength, known in MARGINS.items():
        if isinstance(margin, int | float) and 0 <= margin <= 1 and abs(known - margin) < 1e-6:
            return strength
    raise RecordError(f"Its margin is none of {list(MARGINS.values())}: {shown(margin)}. Leave it out.")
