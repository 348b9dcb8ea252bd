"""Which question comes next: policies for the queue of a `RatingSession`.

An order made before the session begins is a plain tuple of items. A queue that chooses from the answers so far
is an `AdaptiveQueue`. `MixedQueue` takes either and mixes in what tells how good the answers are: gold items,
whose right answer is known, and repeats of earlier questions. `feedback.agreement` finds them again.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rlhf_lab.feedback.errors import FeedbackError
from rlhf_lab.feedback.records import Item, Record, original_id, repeat_number, repeat_of
from rlhf_lab.feedback.session import AdaptiveQueue


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """The questions as they come."""
    return tuple(items)


def at_random(items: Iterable[Item], seed: int | str = 0) -> tuple[Item, ...]:
    """The questions in an order drawn by the seed, the same on every machine."""
    items = list(items)
    random.Random(str(seed)).shuffle(items)
    return tuple(items)


def deal(items: Iterable[Item], raters: Sequence[str], shared: int = 0, seed: int = 0) -> dict[str, tuple[Item, ...]]:
    """A queue for each rater: `shared` of the questions go to all, each of the others to one rater.

    What all answer shows how far they agree; what one answers alone is more data for the same work. Each
    queue is in an order of its own.
    """
    drawn = at_random(items, seed)
    if not raters or len(set(raters)) != len(raters):
        raise FeedbackError(f"deal needs raters with different names; got {list(raters)}.")
    if not 0 <= shared <= len(drawn):
        raise FeedbackError(f"{shared} of {len(drawn)} questions cannot be shared.")
    common, alone = drawn[:shared], drawn[shared:]
    return {
        rater: at_random(common + alone[place :: len(raters)], f"{seed}\x1f{rater}")
        for place, rater in enumerate(raters)
    }


class MixedQueue:
    """A queue with gold items and repeats mixed in, blind. An AdaptiveQueue for a `RatingSession`.

    queue: the questions themselves, in an order or adaptive.
    gold: items whose right answer is known. They are marked as gold here.
    gold_rate, repeat_rate: their shares among all questions asked. There are no more gold items than given, and
        no question is repeated twice.
    gap: a question is repeated only after that many others.
    seed: of where they come, and of which question is repeated.

    What comes next is a function of the answers that stand, so a restarted notebook goes on with the same
    question. A repeat stands with its texts the other way round.
    """

    def __init__(
        self,
        queue: Sequence[Item] | AdaptiveQueue,
        *,
        gold: Iterable[Item] = (),
        gold_rate: float = 0.0,
        repeat_rate: float = 0.0,
        gap: int = 5,
        seed: int = 0,
    ):
        if gold_rate < 0 or repeat_rate < 0 or gold_rate + repeat_rate >= 1 or gap < 0:
            raise FeedbackError(
                "gold_rate and repeat_rate are shares that leave room for the questions themselves, and gap is not"
                f" negative; got {gold_rate}, {repeat_rate} and {gap}."
            )
        self.queue = queue if isinstance(queue, AdaptiveQueue) else tuple(queue)
        self.gold = tuple(replace(item, is_gold=True) for item in at_random(gold, seed))
        self.gap, self.seed = gap, seed
        if gold_rate and not self.gold:
            raise FeedbackError("gold_rate asks for gold items, and there are none. Pass some as `gold`.")
        total = len(queue) / (1 - gold_rate - repeat_rate)
        golds = min(round(gold_rate * total), len(self.gold))
        if golds < round(gold_rate * total):  # fewer questions in all, so fewer repeats
            total = (len(queue) + golds) / (1 - repeat_rate)
        repeats = min(round(repeat_rate * total), len(queue))
        self._plan = _feasible_plan(len(queue), golds, repeats, gap, seed)

    def __len__(self) -> int:
        return len(self._plan)

    @property
    def items(self) -> tuple[Item, ...]:
        """All questions that may be asked, repeats aside, where the queue says what they are."""
        known = self.queue if isinstance(self.queue, tuple) else getattr(self.queue, "items", ())
        return (*known, *self.gold)

    def next_item(self, records: Sequence[Record]) -> Item | None:
        """The next question given what stands; None when the queue is done and everything mixed in was asked."""
        planned = self._plan[len(records)] if len(records) < len(self._plan) else "new"
        choices = {"new": self._new, "gold": self._gold, "repeat": self._repeat}
        order = [planned] + [sort for sort in choices if sort != planned]
        if len(records) >= len(self._plan):
            order = ["new"]  # only an adaptive queue that replaces what was skipped goes on
        return next((item for sort in order if (item := choices[sort](records)) is not None), None)

    def _new(self, records: Sequence[Record]) -> Item | None:
        gold = {item.item_id for item in self.gold}
        own = [r for r in records if r.item_id not in gold and repeat_number(r.item_id) == 1]
        if isinstance(self.queue, tuple):
            done = {record.item_id for record in own}
            return next((item for item in self.queue if item.item_id not in done), None)
        return self.queue.next_item(own)

    def _gold(self, records: Sequence[Record]) -> Item | None:
        done = {record.item_id for record in records}
        planned = self._plan.count("gold")
        return next((item for item in self.gold[:planned] if item.item_id not in done), None)

    def _repeat(self, records: Sequence[Record]) -> Item | None:
        """A question answered at least `gap` questions ago and not repeated yet; gold items are not repeated."""
        repeated = {original_id(record.item_id) for record in records if repeat_number(record.item_id) > 1}
        if len(repeated) >= self._plan.count("repeat"):
            return None
        ripe = [
            record
            for record in records[: max(len(records) - self.gap, 0)]
            if record.status == "submitted"
            and not record.is_gold
            and repeat_number(record.item_id) == 1
            and record.item_id not in repeated
        ]
        if not ripe:
            return None
        return repeat_of(random.Random(f"{self.seed}\x1f{len(records)}").choice(ripe).item)


def _feasible_plan(count: int, golds: int, repeats: int, gap: int, seed: int) -> list[str]:
    """What comes when: "new", "gold" or "repeat", such that every repeat finds a question that is old enough.

    At first come questions only, until one can be repeated; then all sorts, shuffled. Where no order does, because
    the last questions leave too little room behind them, there are fewer repeats.
    """
    while True:
        head = min(gap + 1, count) if repeats else 0
        for attempt in range(20):
            rest = ["new"] * (count - head) + ["gold"] * golds + ["repeat"] * repeats
            random.Random(f"{seed}\x1f{attempt}" if attempt else f"{seed}").shuffle(rest)
            plan = ["new"] * head + rest
            if not repeats or _asks_all(plan, gap, seed):
                return plan
        repeats -= 1


def _asks_all(plan: list[str], gap: int, seed: int) -> bool:
    """Whether a rater who skips nothing is asked as many questions as planned; goes through `next_item`'s choices."""
    left = {sort: plan.count(sort) for sort in ("new", "gold", "repeat")}
    asked: list[bool] = []  # of each question, whether it can be repeated: it is new, and was not repeated yet
    for planned in plan:
        ripe = [place for place in range(max(len(asked) - gap, 0)) if asked[place]]
        open_ = {sort for sort in left if left[sort] and (sort != "repeat" or ripe)}
        sort = next((s for s in (planned, "new", "gold", "repeat") if s in open_), None)
        if sort is None:
            return False
        if sort == "repeat":
            asked[random.Random(f"{seed}\x1f{len(asked)}").choice(ripe)] = False
        left[sort] -= 1
        asked.append(sort == "new")
    return True
