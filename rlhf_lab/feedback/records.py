"""One rating, written down so that anybody can understand it years later.

A `Record` holds who answered, what stood on the screen (texts and the order they stood in), the answer and
how long it took. Records are events and are only ever added: taking an answer back is another record that
names the one it `supersedes`. Answers are in *canonical* form, by candidate id: whether a text stood on the
left or on the right is kept in `display_order` and never inside the answer.

All kinds of question share this form; what their answers look like is in `feedback.kinds`.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from rlhf_lab.feedback.errors import RecordError, shown
from rlhf_lab.feedback.kinds import KINDS, VERDICTS, is_int
from rlhf_lab.feedback.lines import JSON, parse
from rlhf_lab.texts import fault_in

SCHEMA_VERSION = 1
SOURCES = ("human", "simulated", "replay", "gold", "model")
STATUSES = ("submitted", "skipped", "discarded", "retracted")


@dataclass(frozen=True)
class Candidate:
    """A text that was, or is to be, shown to a rater."""

    id: str  # unique within its item
    text: str  # exactly as the model wrote it
    policy: str = ""  # which model wrote it; never shown to the rater
    sampling: Mapping[str, Any] = field(default_factory=dict)  # temperature and the like, JSON values only
    seed: int | None = None  # of the generator that it was sampled with

    def __post_init__(self) -> None:
        _require_id(self.id, "a candidate's id")
        if self.id in VERDICTS:
            raise RecordError(f"A candidate may not be called {self.id!r}: that word is an answer. Rename it.")
        _require_text(self.text, f"the text of candidate {self.id!r}")
        _require_text(self.policy, f"the policy of candidate {self.id!r}")
        if not isinstance(self.sampling, Mapping):
            raise RecordError(f"The sampling settings of candidate {self.id!r} must be a dict.")
        object.__setattr__(self, "sampling", _as_json(dict(self.sampling), "sampling settings"))
        if self.seed is not None and not is_int(self.seed):
            raise RecordError(f"The seed of candidate {self.id!r} must be a whole number or None.")

    def to_dict(self) -> dict[str, Any]:
        """The candidate as JSON values."""
        return {"id": self.id, "text": self.text, "policy": self.policy, "sampling": self.sampling, "seed": self.seed}


@dataclass(frozen=True)
class Item:
    """One question: a prompt and the candidates to be judged."""

    item_id: str  # unique within its task; use `compare_item` to derive it from the content
    prompt: str  # exactly as the model saw it
    candidates: tuple[Candidate, ...]  # in canonical order; the session shuffles them for the screen
    is_gold: bool = False  # the right answer is known, the item is there to check the rater

    def __post_init__(self) -> None:
        _require_id(self.item_id, "an item's id")
        _require_text(self.prompt, f"the prompt of item {self.item_id!r}")
        object.__setattr__(self, "candidates", _candidates(self.candidates, self.item_id))


def question(
    prompt: str,
    texts: Sequence[str],
    policies: Sequence[str] = (),
    sampling: Mapping[str, Any] | None = None,
    seeds: Sequence[int | None] = (),
    is_gold: bool = False,
) -> Item:
    """A question about some completions of one prompt, with ids made from its content. It fits any kind.

    texts: one to score, to label or to edit; two to compare; two or more to rank. policies and seeds: one for
    each text, or none at all. The same texts always give the same ids, so answers are found again after a
    restart; other texts give other ids, so an old answer is never mistaken for one about a new text.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise RecordError("A question takes a list of texts; for a single one write [text].")
    texts, policies, seeds = tuple(texts), tuple(policies) or ("",) * len(texts), tuple(seeds) or (None,) * len(texts)
    if not len(texts) == len(policies) == len(seeds):
        raise RecordError(
            f"A question needs one policy and one seed for each text, or none; got {len(texts)} texts,"
            f" {len(policies)} policies and {len(seeds)} seeds."
        )
    for text in (prompt, *texts, *policies):
        _require_text(text, "a question's prompt, text or policy")
    ids: list[str] = []
    for policy, text in zip(policies, texts, strict=True):
        same = _id_of(policy, text)
        twins = sum(taken.split("-")[0] == same for taken in ids)
        ids.append(f"{same}-{twins + 1}" if twins else same)
    candidates = tuple(
        Candidate(each, text, policy, sampling or {}, seed)
        for each, text, policy, seed in zip(ids, texts, policies, seeds, strict=True)
    )
    return Item(_id_of(prompt, *ids), prompt, candidates, is_gold)


def compare_item(
    prompt: str,
    first: str,
    second: str,
    policies: tuple[str, str] = ("", ""),
    sampling: Mapping[str, Any] | None = None,
    seeds: tuple[int | None, int | None] = (None, None),
    is_gold: bool = False,
) -> Item:
    """A question "which of these two completions is better?"; see `question`."""
    return question(prompt, (first, second), policies, sampling, seeds, is_gold)


def repeat_of(item: Item, number: int = 2) -> Item:
    """The same question once more, to see whether a rater answers it as before; its id is "<id>#2".

    The session shows it with the texts in the opposite order (of the third, "#3", in the first order again).
    """
    if number < 2:
        raise RecordError(f"The first repeat of a question is its number 2; got {number}.")
    return replace(item, item_id=f"{original_id(item.item_id)}#{number}")


def original_id(item_id: str) -> str:
    """The id of the question that a repeat repeats; any other id is its own."""
    return _REPEAT.sub("", item_id)


def repeat_number(item_id: str) -> int:
    """How many times the question has been asked when this one is: 2 for "<id>#2", 1 for what is no repeat."""
    match = _REPEAT.search(item_id)
    return int(match[1]) if match else 1


_REPEAT = re.compile(r"#([2-9]|[1-9][0-9]+)$")


@dataclass(frozen=True)
class Record:
    """One event: an answer, a skip, or the taking back of one. Never changed once written."""

    # who and when
    rater_id: str  # a pseudonym
    source: str  # one of SOURCES
    session_id: str  # which sitting
    # the question
    task_id: str  # which round of questions, for example "00-first-round"
    kind: str  # one of KINDS
    item_id: str  # which question of the round
    # what was shown
    prompt: str
    candidates: tuple[Candidate, ...]  # in canonical order
    display_order: tuple[str, ...]  # candidate ids as they stood on the screen, from the left
    # the answer
    status: str  # one of STATUSES
    value: Any = None  # see `feedback.kinds`; None unless submitted
    confidence: float | None = None  # 0 (a guess) to 1 (certain)
    note: str = ""  # anything the rater wants to add
    supersedes: str | None = None  # uid of the record that this one replaces or takes back
    guideline_version: str = ""  # which guidelines the rater had in view
    is_gold: bool = False  # the right answer was known
    # how
    client_ms: int | None = None  # milliseconds in view, measured in the browser; None if nobody measured
    input_method: str = ""  # "mouse", "keyboard", "rater", ...
    # identity
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))  # unique over all records
    ts_utc: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    schema_version: int = SCHEMA_VERSION  # of this form

    def __post_init__(self) -> None:
        for name in ("uid", "ts_utc", "session_id", "rater_id", "task_id", "item_id"):
            _require_id(getattr(self, name), name)
        for name, allowed in (("source", SOURCES), ("kind", KINDS), ("status", STATUSES)):
            if getattr(self, name) not in tuple(allowed):
                raise RecordError(f"{name} must be one of {', '.join(allowed)}; got {shown(getattr(self, name))}.")
        for name in ("prompt", "note", "input_method", "guideline_version"):
            _require_text(getattr(self, name), name)
        if not isinstance(self.is_gold, bool):
            raise RecordError(f"is_gold must be true or false; got {shown(self.is_gold)}.")
        try:
            datetime.fromisoformat(self.ts_utc)
        except ValueError as error:
            raise RecordError(
                f"ts_utc must be a time like 2030-01-31T12:00:00+00:00; got {shown(self.ts_utc)}."
            ) from error
        _check_version(self.schema_version)
        object.__setattr__(self, "candidates", _candidates(self.candidates, self.item_id))
        order = self.display_order
        object.__setattr__(self, "display_order", tuple(order) if isinstance(order, list | tuple) else (order,))
        ids = [candidate.id for candidate in self.candidates]
        if len(self.display_order) != len(ids) or not all(each in self.display_order for each in ids):
            raise RecordError(
                f"display_order must name every candidate of item {self.item_id!r} once;"
                f" got {shown(list(self.display_order))}."
            )
        if self.client_ms is not None and not (is_int(self.client_ms) and self.client_ms >= 0):
            raise RecordError(f"client_ms must be a whole number of milliseconds or None; got {shown(self.client_ms)}.")
        sure = self.confidence
        if sure is not None and (isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 1):
            raise RecordError(f"confidence must be between 0 and 1, or None; got {shown(sure)}.")
        if self.supersedes is not None:
            _require_id(self.supersedes, "supersedes")
        if self.supersedes == self.uid:
            raise RecordError(f"Record {self.uid} cannot supersede itself.")
        if self.status == "retracted" and self.supersedes is None:
            raise RecordError("A retraction must name the record it takes back in `supersedes`.")
        if self.status == "submitted":
            value = _as_json(self.value, f"the answer to a question of kind {self.kind!r}")
            KINDS[self.kind].check(value, ids)
            object.__setattr__(self, "value", value)
        elif self.value is not None:
            raise RecordError(f"A record with status {self.status!r} carries no value; got {shown(self.value)}.")

    @property
    def item(self) -> Item:
        """The question that this record answers."""
        return Item(self.item_id, self.prompt, self.candidates, self.is_gold)

    @property
    def winner(self) -> str | None:
        """Of a submitted comparison: the winner's id, "tie" or "both_bad"; of anything else None."""
        return self.value["winner"] if self.kind == "compare" and self.status == "submitted" else None

    @property
    def strength(self) -> int | None:
        """Of a submitted comparison with a winner: how much better it is, 1 to 3; None if nobody said."""
        return self.value.get("strength") if self.winner is not None else None

    def candidate(self, candidate_id: str) -> Candidate:
        """The candidate with this id; RecordError if there is none."""
        for candidate in self.candidates:
            if candidate.id == candidate_id:
                return candidate
        raise RecordError(f"Item {self.item_id!r} has no candidate {candidate_id!r}.")

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values, in the order of the fields."""
        content = {name: getattr(self, name) for name in _RECORD_FIELDS}
        content["candidates"] = [candidate.to_dict() for candidate in self.candidates]
        content["display_order"] = list(self.display_order)
        return content

    def to_json(self) -> str:
        """One line of ASCII JSON. Any text survives it, NUL characters included."""
        return json.dumps(self.to_dict(), ensure_ascii=True, allow_nan=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Record":
        """The record that `to_dict` gave. RecordError if a field is missing, unknown or makes no sense."""
        if not isinstance(content, Mapping):
            raise RecordError(f"A record must be a JSON object; got {shown(content)}.")
        _check_version(content.get("schema_version", SCHEMA_VERSION))  # before fields that only a later form has
        unknown = sorted(map(str, set(content) - set(_RECORD_FIELDS)))
        if unknown:
            raise RecordError(f"A record has fields that we do not know: {', '.join(unknown[:9])}.")
        try:
            candidates = tuple(Candidate(**candidate) for candidate in content["candidates"])
            return cls(**{**content, "candidates": candidates})
        except (KeyError, TypeError) as error:
            raise RecordError(f"A record lacks a field or has one of the wrong type: {error}.") from error

    @classmethod
    def from_json(cls, line: str) -> "Record":
        """The record that `to_json` gave. RecordError if the line is no such record."""
        return cls.from_dict(parse(line))


_RECORD_FIELDS = tuple(entry.name for entry in fields(Record))


def effective(events: Iterable[Record]) -> list[Record]:
    """What stands after all is said: events that no other event supersedes, without the retractions.

    Skipped and discarded items are still there, with their status. The order is that of the events.
    """
    events = list(events)
    superseded = {event.supersedes for event in events}
    return [event for event in events if event.uid not in superseded and event.status != "retracted"]


def _check_version(version: Any) -> None:
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"A record has form {shown(version)}; we read form {SCHEMA_VERSION}. Update RLHF Lab to read what a"
            " newer version of RLHF Lab wrote."
        )


def _candidates(candidates: Iterable[Candidate], item_id: str) -> tuple[Candidate, ...]:
    candidates = tuple(candidates) if isinstance(candidates, Iterable) else ()
    if not candidates or not all(isinstance(candidate, Candidate) for candidate in candidates):
        raise RecordError(f"Item {item_id!r} needs at least one Candidate; got {shown(candidates)}.")
    if len({candidate.id for candidate in candidates}) != len(candidates):
        raise RecordError(f"Two candidates of item {item_id!r} have the same id. Give each its own.")
    return candidates


def _require_id(value: Any, name: str) -> None:
    if not isinstance(value, str) or not value:
        raise RecordError(f"{name} must be a string that is not empty; got {shown(value)}.")
    _require_text(value, name)


def _require_text(value: Any, name: str) -> None:
    if fault := fault_in(value):
        raise RecordError(f"{name} {fault}")


def _as_json(value: Any, name: str) -> Any:
    """The value as JSON would give it back: tuples become lists, a copy of its own."""
    if not value and isinstance(value, dict):
        return {}
    try:
        line = json.dumps(value, ensure_ascii=False, allow_nan=False)
        same = JSON.decode(line)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"{name} must be made of JSON values ({error}); got {shown(value)}.") from error
    _require_text(line, name)
    return same


def _id_of(*parts: str) -> str:
    """An id that follows from the content."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]
