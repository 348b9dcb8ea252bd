"""Rating sessions: which question is shown, in which order its texts appear, and what happens to an answer.

Panels and simulated raters drive a `RatingSession` through the same few methods. It keeps three promises.

Nothing counts before it is saved. An answer is on the disk before the next question is chosen. If it cannot be
written, the exception says why and nothing has changed.
Nothing counts twice. Every view has a `turn`, and an answer names its turn. A second click on the same question names
a turn that is over. If another notebook has written meanwhile, an answer still counts if its question is open.
Otherwise the next view says so in its `notice`.
Nothing reveals who wrote what. The display order is random for each item and rater, and a restart does not change it.
If a question is repeated (`records.repeat_of`), the order is reversed.

Methods may be called from any thread.
"""

import random
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from rlhf_lab.feedback.errors import ConflictError, FeedbackError
from rlhf_lab.feedback.kinds import KINDS
from rlhf_lab.feedback.records import SOURCES, Candidate, Item, Record, effective, original_id, repeat_number
from rlhf_lab.feedback.store import FeedbackStore


@runtime_checkable
class AdaptiveQueue(Protocol):
    """A queue that chooses the next question from the answers so far.

    It is called under a lock, from any thread, so it must not use torch or matplotlib. The same records must give the
    same item, or a restart would show a different question.
    """

    def __len__(self) -> int:
        """How many answers are intended. Only for the progress bar: the session does not stop there."""

    def next_item(self, records: Sequence[Record]) -> Item | None:
        """The next question, or None if there are no more. records: the answers and skips in force."""


@dataclass(frozen=True)
class View:
    """What is on the screen at one moment."""

    turn: str  # the answer must name it; changes with every change of the view
    state: str  # "rate": there is a question; "done": there is none left; "stuck": see problem
    prompt: str  # empty unless state is "rate"
    options: tuple[Candidate, ...]  # in display order, from the left; show their texts only
    number: int  # of the question shown, from 1
    total: int  # questions intended
    answered: int  # answers in force
    skipped: int  # skips in force
    can_undo: bool  # something can be taken back
    problem: str  # why the next question could not be chosen
    notice: str  # why the last action did not count, if others had changed the records meanwhile


class RatingSession:
    """One rater at work on one task.

    store: where events are saved, and where the session resumes from after a restart.
    task_id: names the round of questions. Use another name for other questions.
    queue: a sequence of Items, shown in order, or an AdaptiveQueue.
    rater_id: a pseudonym. Each rater has their own progress.
    source: who answers: human, simulated, replay, gold or model.
    seed: for the display order.
    kind: the kind of question.
    guideline_version: recorded with each answer.
    given: answers by other raters. Their items are not asked again, and an adaptive queue learns from them.
    """

    def __init__(
        self,
        store: FeedbackStore,
        task_id: str,
        queue: Sequence[Item] | AdaptiveQueue,
        rater_id: str = "learner",
        source: str = "human",
        seed: int = 0,
        *,
        kind: str = "compare",
        guideline_version: str = "1",
        given: Sequence[Record] = (),
        _queue_lock: Any = None,
    ):
        if kind not in KINDS:
            raise FeedbackError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}.")
        if source not in SOURCES:
            raise FeedbackError(f"source must be one of {', '.join(SOURCES)}; got {source!r}.")
        for what, name in (("task_id", task_id), ("rater_id", rater_id)):
            if not isinstance(name, str) or not name:
                raise FeedbackError(f"{what} must be a string that is not empty; got {name!r}.")
        self.store = store
        self.task_id = task_id
        self.rater_id = rater_id
        self.source = source
        self.seed = seed
        self.kind = kind
        self.guideline_version = guideline_version
        self.session_id = str(uuid.uuid4())
        self.queue = queue if isinstance(queue, AdaptiveQueue) else _checked(queue, kind)
        self._given = tuple(given)
        self._lock = threading.RLock()
        self._queue_lock = _queue_lock or threading.RLock()  # siblings share the queue, and so its lock
        self._turns = 0
        self._load()

    def __repr__(self) -> str:
        return f"RatingSession(task {self.task_id!r}, rater {self.rater_id!r})"

    @property
    def is_adaptive(self) -> bool:
        """Whether the queue chooses questions from the answers so far."""
        return not isinstance(self.queue, tuple)

    @property
    def records(self) -> tuple[Record, ...]:
        """This rater's answers and skips in force. For a plain queue, only those about its items."""
        with self._lock:
            return tuple(self._records)

    def view(self) -> View:
        """What to show now."""
        with self._lock:
            item = self._item
            answered = sum(record.status == "submitted" for record in self._records)
            # An adaptive queue may replace skipped questions, so only answers count as progress there.
            handled = answered if self.is_adaptive else len(self._records)
            return View(
                turn=self._turn,
                state="rate" if item else ("stuck" if self._problem else "done"),
                prompt=item.prompt if item else "",
                options=tuple(self._in_display_order(item)) if item else (),
                number=handled + 1 if item else handled,
                total=max(len(self.queue), handled + 1 if item else handled),
                answered=answered,
                skipped=sum(record.status == "skipped" for record in self._records),
                can_undo=bool(self._records),
                problem=self._problem,
                notice=self._notice,
            )

    def answer(
        self,
        value: Any,
        turn: str,
        ms: int | None = None,
        input_method: str = "",
        *,
        confidence: float | None = None,
        note: str = "",
    ) -> bool:
        """Record an answer, in canonical form (candidate ids), to the question of this turn. Then move on.

        ms: how many milliseconds the question was in view. input_method: "mouse", "keyboard", "rater", ...
        Returns False, and records nothing, if the turn is over or another notebook has answered the question; the
        `notice` of the next view says so. RecordError if the answer makes no sense, StoreError if it could not be
        saved. The question then stays, and the same call may be tried again.
        """
        said = {"value": value, "confidence": confidence, "note": note}
        return self._respond(turn, "submitted", client_ms=ms, input_method=input_method, **said)

    def skip(self, turn: str, ms: int | None = None, input_method: str = "", *, note: str = "") -> bool:
        """Record that this question is left unanswered. Otherwise like `answer`."""
        return self._respond(turn, "skipped", client_ms=ms, input_method=input_method, note=note)

    def undo(self, turn: str, input_method: str = "") -> bool:
        """Take back the last answer or skip, by adding an event, and show its question again.

        False if the turn is over or there is nothing to take back. Errors: as in `answer`.
        """
        with self._lock:
            if turn != self._turn or not self._records:
                return False
            last = self._records[-1]
            return self._save(self._event(last.item, "retracted", input_method=input_method, supersedes=last.uid))

    def refresh(self) -> None:
        """Read the store again, in case other notebooks wrote to it, and try again to choose a question."""
        with self._lock:
            events, last = self.store.history(self.task_id, self.rater_id)
            if last != self._last or self._problem:
                self._take_over(events, last)

    def sibling(
        self,
        rater_id: str,
        source: str,
        given: Sequence[Record] = (),
        queue: Sequence[Item] | AdaptiveQueue | None = None,
    ) -> "RatingSession":
        """A session of another rater on the same task, by default with the same queue."""
        return RatingSession(
            self.store,
            self.task_id,
            self.queue if queue is None else queue,
            rater_id,
            source,
            self.seed,
            kind=self.kind,
            guideline_version=self.guideline_version,
            given=given,
            _queue_lock=self._queue_lock,
        )

    # --- Inside: all but _respond must be called with the lock held ---------------------------------------

    def _load(self) -> None:
        self._take_over(*self.store.history(self.task_id, self.rater_id))

    def _take_over(self, events: list[Record], last: int) -> None:
        """Continue from these events of the store, in a new turn."""
        self._last = last
        events = [event for event in events if event.kind == self.kind]
        self._records = effective(events)
        if not self.is_adaptive:
            asked = {item.item_id for item in self.queue}
            self._records = [record for record in self._records if record.item_id in asked]
        self._again = events[-1].item if events and events[-1].status == "retracted" else None
        self._next_turn()

    def _next_turn(self) -> None:
        self._turns += 1
        self._turn = f"{self.session_id}:{self._turns}"
        self._unsaved: Record | None = None
        self._problem = self._notice = ""
        try:
            self._item = self._choose()
        except Exception as error:  # a queue may be the notebook's own code; the last answer is saved anyway
            self._item = None
            self._problem = f"The next question could not be chosen ({type(error).__name__}: {error})."

    def _choose(self) -> Item | None:
        done = {record.item_id for record in self._records}
        so_far = [record for record in self._given if record.item_id not in done] + list(self._records)
        done |= {record.item_id for record in self._given}
        if not self.is_adaptive:
            remaining = [item for item in self.queue if item.item_id not in done]
            again = [item for item in remaining if self._again and item.item_id == self._again.item_id]
            return next(iter(again + remaining), None)
        if self._again and self._again.item_id not in done:
            return self._again
        with self._queue_lock:
            item = self.queue.next_item(tuple(so_far))
        if item is not None:
            _checked([item], self.kind)
            if item.item_id in done:
                raise FeedbackError(f"the queue offered item {item.item_id!r} again")
        return item

    def _in_display_order(self, item: Item) -> list[Candidate]:
        rng = random.Random(f"{self.seed}\x1f{self.rater_id}\x1f{original_id(item.item_id)}")
        places = {candidate.id: rng.random() for candidate in item.candidates}
        swapped = repeat_number(item.item_id) % 2 == 0  # every other repeat is reversed
        return sorted(item.candidates, key=lambda candidate: places[candidate.id], reverse=swapped)

    def _respond(self, turn: str, status: str, **more: Any) -> bool:
        with self._lock:
            if turn != self._turn or self._item is None:
                return False
            return self._save(self._event(self._item, status, **more))

    def _event(self, item: Item, status: str, **more: Any) -> Record:
        return Record(
            rater_id=self.rater_id,
            source=self.source,
            session_id=self.session_id,
            task_id=self.task_id,
            kind=self.kind,
            item_id=item.item_id,
            prompt=item.prompt,
            candidates=item.candidates,
            display_order=tuple(candidate.id for candidate in self._in_display_order(item)),
            status=status,
            guideline_version=self.guideline_version,
            is_gold=item.is_gold,
            **more,
        )

    def _save(self, event: Record) -> bool:
        """Write first, then move on. A repeated attempt keeps its uid, so it cannot count twice."""
        tried = self._unsaved
        said = ("status", "value", "supersedes", "confidence", "note")  # what the rater may change between attempts
        if tried and all(getattr(tried, name) == getattr(event, name) for name in said):
            event = tried
        self._unsaved = event
        while True:
            try:
                self._last = self.store.append(event, after=self._last)
                break
            except ConflictError:
                if not self._catch_up(event, tried):
                    return False
        if event.status == "retracted":
            self._records.pop()
            self._again = event.item
        else:
            self._records.append(event)
            self._again = None
        self._next_turn()
        return True

    def _catch_up(self, event: Record, tried: Record | None) -> bool:
        """Read what others have written. True if this event can still be added, else False and a notice."""
        known, last = {record.uid for record in self._records}, self._last
        events, now = self.store.history(self.task_id, self.rater_id)
        self._take_over(events, now)
        if lost := known - {record.uid for record in events}:
            self._notice = (
                f"{self.store.path.name} was deleted or replaced: {len(lost)} of your earlier answers are no longer in"
                " it. Put the file back and run this cell again, or go on without them from the question shown now."
            )
            return False
        if tried and self._records and self._records[-1].uid == tried.uid and self.undo(self._turn):
            return True  # a failed attempt was saved after all, but the rater has changed the answer since
        if event.status == "retracted" or now == last or event.item_id in {r.item_id for r in self._records}:
            self._notice = "Another notebook has recorded an answer just before, and that one stands."
            return False
        return True


def _checked(queue: Sequence[Item], kind: str) -> tuple[Item, ...]:
    items = tuple(queue)
    for item in items:
        if not isinstance(item, Item):
            raise FeedbackError(f"A queue is made of Items; got {type(item).__name__}.")
        if not KINDS[kind].least <= len(item.candidates) <= KINDS[kind].most:
            takes = KINDS[kind].in_words
            raise FeedbackError(f"Item {item.item_id!r} has {len(item.candidates)} candidates; {kind} takes {takes}.")
    if len({item.item_id for item in items}) != len(items):
        raise FeedbackError("Two items of the queue have the same item_id. Give each its own.")
    return items
