"""Comparisons as battles of Chatbot Arena (Zheng et al. 2023), and battles as records.

A battle says which of two models won: {"question_id", "model_a", "model_b", "winner", "judge", "conversation_a",
"conversation_b", "turn", "anony", "language", "tstamp"}, with winner one of "model_a", "model_b", "tie" and
"tie (bothbad)". Model A stood on the left. A candidate's `policy` is its model. Strength, notes and the time that an
answer took have no place in a battle.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.feedback.formats.imported import imported_record
from rlhf_lab.feedback.formats.messages import Messages, checked, from_messages, shared_start, to_messages
from rlhf_lab.feedback.formats.rows import converted, text_of, warn_of
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.feedback.records import Record, question

_VERDICTS = {"tie": "tie", "both_bad": "tie (bothbad)"}


def to_battles(records: Iterable[Record], language: str = "English") -> list[dict[str, Any]]:
    """A battle for every comparison that was answered and stands, ties included; a warning counts other kinds."""
    battles = []
    standing = ratings(records)
    compared = [record for record in standing if record.kind == "compare"]
    warn_of({"answers of other kinds, for a battle is a comparison": len(standing) - len(compared)})
    for record in compared:
        left, right = (record.candidate(each) for each in record.display_order)
        asked, answer_a, answer_b = to_messages(record.prompt, left.text, right.text)
        winner = _VERDICTS.get(record.winner) or ("model_a" if record.winner == left.id else "model_b")
        battles.append(
            {
                "question_id": record.item_id,
                "model_a": left.policy,
                "model_b": right.policy,
                "winner": winner,
                "judge": record.rater_id,
                "conversation_a": asked + answer_a,
                "conversation_b": asked + answer_b,
                "turn": sum(message["role"] == "user" for message in asked),
                "anony": True,
                "language": language,
                "tstamp": datetime.fromisoformat(record.ts_utc).timestamp(),
            }
        )
    return battles


def from_battles(
    battles: Iterable[Mapping[str, Any]], task_id: str = "arena", source: str = "human", plain: bool = True
) -> list[Record]:
    """Records of comparisons, with model A on the left; the rater is the judge.

    The prompt is what both conversations begin with. plain: see `formats.messages`. The same battle always gives the
    same record, so bringing a file in twice counts once. RecordError, naming the battle, for one that is none.
    """

    def record(battle: Mapping[str, Any]) -> Record:
        models = tuple(text_of(battle, key) for key in ("model_a", "model_b"))
        prompt, *texts = _split(battle, plain)
        item = question(prompt, texts, policies=models)
        left, right = item.candidates
        verdicts = {"model_a": left.id, "model_b": right.id, **{value: key for key, value in _VERDICTS.items()}}
        winner = text_of(battle, "winner")
        if winner not in verdicts:
            raise RecordError(f"Its winner is none of {list(verdicts)}: {shown(winner)}.")
        return imported_record(
            replace(item, item_id=_name(battle, "question_id") or item.item_id),
            "compare",
            {"winner": verdicts[winner]},
            task_id=task_id,
            rater_id=_name(battle, "judge") or "arena",
            source=source,
            uid_from=(task_id, json.dumps(battle, sort_keys=True, default=str)),
            time=_time(battle.get("tstamp")),
        )

    return converted(battles, record, "Battle")


def _split(battle: Mapping[str, Any], plain: bool) -> tuple[str, str, str]:
    """The prompt that both conversations begin with, and how each goes on."""
    a, b = checked(battle.get("conversation_a")), checked(battle.get("conversation_b"))
    asked: Messages = shared_start(a, b)
    while asked and asked[-1]["role"] == "assistant":
        asked = asked[:-1]
    prompt, one = from_messages(asked, a[len(asked) :], plain)
    other_prompt, other = from_messages(asked, b[len(asked) :], plain)
    if prompt != other_prompt:  # one of them has more turns than the other
        prompt, one = from_messages(asked, a[len(asked) :], plain=False)
        prompt, other = from_messages(asked, b[len(asked) :], plain=False)
    return prompt, one, other


def _name(battle: Mapping[str, Any], key: str) -> str:
    """What a battle says under a key that names something; "" where it says nothing."""
    value = battle.get(key)
    if value is not None and not isinstance(value, str | int):
        raise RecordError(f"Its {key!r} must be a text or a whole number; got {shown(value)}.")
    return "" if value is None else str(value)


def _time(stamp: Any) -> str:
    try:
        return datetime.fromtimestamp(float(stamp or 0), UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise RecordError(
            f"Its tstamp is no time: {shown(stamp)}. Give seconds since 1970, or leave it out."
        ) from error
