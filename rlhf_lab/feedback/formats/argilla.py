"""Feedback as records of Argilla 2, in the dictionaries that `argilla.Record.from_dict` takes and `to_dict` gives.

One record is one question, with the answers of everybody who gave one. Its fields are `prompt` and `text_1`,
`text_2`, ... in canonical order. The questions that an Argilla dataset needs for them, by kind:

    compare   LabelQuestion "preference": text_1, text_2, tie, both_bad; RatingQuestion "strength": 1 to 3, optional
    score     a RatingQuestion for each axis, named after it
    label     MultiLabelQuestion "labels"; in `from_dict`'s form no tag at all is the one tag "none"
    rank      RankingQuestion "ranking": the texts, best first; TextQuestion "ties": "text_1=text_3", optional
    edit      TextQuestion "edit"

Argilla wants a UUID for each user: `user_id(rater_id)`. What else our records know is in the metadata.
"""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.feedback.formats.imported import NO_TIME, imported_record
from rlhf_lab.feedback.formats.rows import converted, text_of, warn_of
from rlhf_lab.feedback.kinds import KINDS, VERDICTS, unknown_kind
from rlhf_lab.feedback.lines import parse
from rlhf_lab.feedback.pairs import ratings
from rlhf_lab.feedback.records import Candidate, Item, Record, question

_NO_TAG = "none"
_USERS = uuid.uuid5(uuid.NAMESPACE_DNS, "raters.rlhf-lab")


def user_id(rater_id: str) -> str:
    """The UUID that stands for a rater in Argilla; always the same for the same name."""
    return str(uuid.uuid5(_USERS, rater_id))


def to_argilla(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Argilla's records of all answers that stand: one a question, with everybody's responses."""
    rows: dict[str, dict[str, Any]] = {}
    for record in ratings(records):
        names = {candidate.id: f"text_{place}" for place, candidate in enumerate(record.candidates, start=1)}
        key = f"{record.task_id}/{record.kind}/{record.item_id}"
        row = rows.setdefault(
            key,
            {
                "id": key,
                "fields": {"prompt": record.prompt, **{names[c.id]: c.text for c in record.candidates}},
                "metadata": {
                    "kind": record.kind,
                    "task_id": record.task_id,
                    "item_id": record.item_id,
                    "is_gold": str(record.is_gold),  # metadata are words and numbers
                    "candidates": json.dumps([[candidate.id, candidate.policy] for candidate in record.candidates]),
                },
                "suggestions": {},
                "responses": {},
                "vectors": {},
            },
        )
        for name, answer in _answers(record, names).items():
            response = {"value": answer, "user_id": user_id(record.rater_id), "status": "submitted"}
            row["responses"].setdefault(name, []).append(response)
    return list(rows.values())


def from_argilla(
    rows: Iterable[Mapping[str, Any]],
    raters: Sequence[str] = (),
    kind: str | None = None,
    task_id: str = "argilla",
    source: str = "human",
) -> list[Record]:
    """Our records of Argilla's, one for each user who answered.

    raters: names to give back to the users that `user_id` made of them; other users are called by their UUID.
    kind, task_id: of rows that have none in their metadata, because they were not made by `to_argilla`.
    A warning counts what is left out: drafts, discarded responses, a user's earlier response to the same question,
    records that nobody answered. RecordError, naming the row, for what cannot be read.
    """
    known = {user_id(rater): rater for rater in raters}
    left_out: Counter[str] = Counter()

    def records_of(row: Mapping[str, Any]) -> list[Record]:
        fields, metadata = _dict_under(row, "fields"), _dict_under(row, "metadata")
        prompt = text_of(fields, "prompt")
        texts = [text_of(fields, f"text_{i}") for i in range(1, 1 + sum(str(k).startswith("text_") for k in fields))]
        item = question(prompt, texts)
        defaults = {"kind": kind or "", "task_id": task_id, "item_id": item.item_id}
        of_kind, task, item_id = (text_of({**defaults, **metadata}, key) for key in defaults)
        if of_kind not in KINDS:
            raise RecordError(f"It does not say its kind. Pass kind=, one of {', '.join(KINDS)}.")
        candidates = _named(metadata["candidates"], texts) if "candidates" in metadata else item.candidates
        item = Item(item_id, prompt, candidates, is_gold=metadata.get("is_gold") == "True")
        answered = _by_user(_dict_under(row, "responses"), left_out)
        left_out["records that nobody answered"] += not answered
        found = []
        for user, answers in answered.items():
            rater = known.get(user, user)
            try:
                value = _value(of_kind, answers, [candidate.id for candidate in candidates])
                uid_from = (task, of_kind, item_id, rater, json.dumps(answers, sort_keys=True))
                origin = {"task_id": task, "rater_id": rater, "source": source, "uid_from": uid_from, "time": NO_TIME}
                found.append(imported_record(item, of_kind, value, **origin))
            except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
                why = f" ({error})" if isinstance(error, RecordError) else ", see rlhf_lab.feedback.formats.argilla"
                raise RecordError(
                    f"user {user} gave no answer of kind {of_kind!r}{why}: {shown(answers)}. Mend it or leave it out."
                ) from error
        return found

    found = converted(rows, records_of, "Argilla record")
    warn_of(left_out)
    return [record for records in found for record in records]


def _dict_under(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What is there: a table of rows with different keys fills the missing ones with None."""
    values = row.get(key)
    if values is not None and not isinstance(values, Mapping):
        raise RecordError(f"Its {key} must be a dict; got {shown(values)}.")
    return {name: value for name, value in (values or {}).items() if value is not None}


def _named(identities: Any, texts: Sequence[str]) -> tuple[Candidate, ...]:
    """Texts with the ids and policies of `to_argilla`'s metadata."""
    try:
        return tuple(Candidate(i, t, policy) for (i, policy), t in zip(parse(identities), texts, strict=True))
    except (TypeError, ValueError) as error:
        raise RecordError(
            f"Its metadata 'candidates' must be JSON, [[id, policy], ...] for each of {len(texts)} texts; got"
            f" {shown(identities)}. Without it the texts get ids of their own."
        ) from error


def _answers(record: Record, names: Mapping[str, str]) -> dict[str, Any]:
    """An answer as {name of the question: value of the response}."""
    value = record.value
    if record.kind == "compare":
        winner = {"preference": names.get(value["winner"], value["winner"])}
        return winner if record.strength is None else {**winner, "strength": record.strength}
    if record.kind == "score":
        return dict(value)
    if record.kind == "label":
        return {"labels": list(value) or [_NO_TAG]}
    if record.kind == "edit":
        return {"edit": value["text"]}
    if record.kind != "rank":
        raise unknown_kind(record.kind, "to_argilla")
    ties = " ".join("=".join(names[each] for each in tier) for tier in value if len(tier) > 1)
    ranking = {"ranking": [names[each] for tier in value for each in tier]}
    return {**ranking, "ties": ties} if ties else ranking


def _value(kind: str, answers: Mapping[str, Any], ids: Sequence[str]) -> Any:
    """The inverse of `_answers`."""
    by_name = {f"text_{place}": each for place, each in enumerate(ids, start=1)}
    if kind == "compare":
        said = answers["preference"]
        winner = {"winner": said if said in VERDICTS else by_name[said]}
        return {**winner, "strength": answers["strength"]} if "strength" in answers else winner
    if kind == "score":
        return dict(answers)
    if kind == "label":
        return [tag for tag in answers["labels"] if tag != _NO_TAG]
    if kind == "edit":
        return {"base_id": ids[0], "text": answers["edit"]}
    if kind != "rank":
        raise unknown_kind(kind, "from_argilla")
    tied = [set(group.split("=")) for group in answers.get("ties", "").split()]
    tiers: list[list[str]] = []
    before: set[str] = set()
    for name in answers["ranking"]:
        together = next((group for group in tied if name in group), {name})
        if tiers and together == before:
            tiers[-1].append(by_name[name])
        else:
            tiers.append([by_name[name]])
        before = together
    return tiers


def _by_user(responses: Mapping[str, Any], left_out: Counter[str]) -> dict[str, dict[str, Any]]:
    """{question: [response of a user, ...]} as {user: {question: value}}; counts what is no answer that stands."""
    found: dict[str, dict[str, Any]] = {}
    for name, given in responses.items():
        for response in given if isinstance(given, list | tuple) else [given]:
            if not isinstance(response, Mapping):
                raise RecordError(f"The responses to {name!r} must be a list of dicts; got {shown(given)}.")
            if response.get("status") not in (None, "submitted"):
                left_out["responses that are drafts or discarded"] += 1
                continue
            user, value = response.get("user_id"), response.get("value")
            if user is None or value is None:
                raise RecordError(f"A response to {name!r} needs 'user_id' and 'value'; got {shown(response)}.")
            answers = found.setdefault(str(user), {})
            left_out["earlier responses of users who answered again"] += name in answers
            answers[name] = value
    return found
