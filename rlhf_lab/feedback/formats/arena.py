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

from rlhf_lab.feedback.errors import RecordError
from rlhf_lab.feedback.formats.imported import imported_record
from rlhf_lab.feedback.formats.messages import Messages, from_messages, shared_start, to_messages
from rlhf_lab.feedback.formats.rows import text_of
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.feedback.records import Record, question

_VERDICTS = {"tie": "tie", "both_bad": "tie (bothbad)"}


def to_battles(records: Iterable[Record], language: str = "English") -> list[dict[str, Any]]:
    """A battle for every comparison that was answered and stands, ties included; other kinds are passed over."""
    battles = []
    for record in ratings(records):
        if record.kind != "compare":
            continue
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
    records = []
    for number, battle in enumerate(battles):
        where = f"Battle {number}"
        models = tuple(text_of(battle, key, where) for key in ("model_a", "model_b"))
        prompt, *texts = _split(battle, where, plain)
        item = question(prompt, texts, policies=models)
        left, right = item.candidates
        verdicts = {"model_a": left.id, "model_b": right.id, **{value: key for key, value in _VERDICTS.items()}}
        winner = text_of(battle, "winner", where)
        if winner not in verdicts:
            raise RecordError(f"{where} has a winner that is none of {list(verdicts)}: {winner!r}.")
        item = replace(item, item_id=str(battle.get("question_id") or item.item_id))
        records.append(
            imported_record(
                item,
                "compare",
                {"winner": verdicts[winner]},
                task_id=task_id,
                rater_id=str(battle.get("judge") or "arena"),
                source=source,
                uid_from=(task_id, json.dumps(battle, sort_keys=True, default=str)),
                time=_time(battle.get("tstamp"), where),
            )
        )
    return records


def _split(battle: Mapping[str, Any], where: str, plain: bool) -> tuple[str, str, str]:
    """The prompt that both conversations begin with, and how each goes on."""
    a, b = battle.get("conversation_a"), battle.get("conversation_b")
    if not isinstance(a, list) or not isinstance(b, list) or not a or not b:
        raise RecordError(f"{where} needs two conversations, each a list of messages.")
    asked: Messages = shared_start(a, b)
    while asked and asked[-1].get("role") == "assistant":
        asked = asked[:-1]
    try:
        prompt, one = from_messages(asked, a[len(asked) :], plain)
        other_prompt, other = from_messages(asked, b[len(asked) :], plain)
        if prompt != other_prompt:  # one of them has more turns than the other
            prompt, one = from_messages(asked, a[len(asked) :], plain=False)
            prompt, other = from_messages(asked, b[len(asked) :], plain=False)
    except RecordError as error:
        raise RecordError(f"{where}: {error}") from error
    return prompt, one, other


def _time(stamp: Any, where: str) -> str:
    try:
        return datetime.fromtimestamp(float(stamp or 0), UTC).isoformat(timespec="milliseconds")
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise RecordError(f"{where} has a tstamp that is no time: {stamp!r}.") from error
