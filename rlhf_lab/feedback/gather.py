"""The cell that needs feedback: read what was rated, top it up, and say how much is whose.

A notebook never waits for a person. `gather` takes the learner's answers as they stand and asks another rater
for what is missing. Who that is, RLHF_LAB_RATER says:

    human      (or not set) the rater given; the line invites to rate more
    simulated  the rater given
    replay     the recorded answers given

The learner's own answers always come first. When they rate more, theirs take the place of the other rater's.
Running the cell again never adds answers that are not needed.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rlhf_lab.feedback.errors import FeedbackError
from rlhf_lab.feedback.kinds import VERDICTS
from rlhf_lab.feedback.pairs import PreferencePair, preference_pairs
from rlhf_lab.feedback.raters import Rater, ReplayRater, rate_with, rater_name
from rlhf_lab.feedback.records import Record
from rlhf_lab.feedback.session import RatingSession

MODES = ("human", "simulated", "replay")


@dataclass(frozen=True)
class Gathered:
    """Answers to work with, the learner's first. Iterating gives the records."""

    records: tuple[Record, ...]  # submitted answers only
    line: str  # how much is whose, in a sentence

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def pairs(self) -> list[PreferencePair]:
        """The preference pairs in it; fewer than answers where there are ties."""
        return preference_pairs(self.records)


def gather(
    session: RatingSession,
    at_least: int,
    rater: Rater | None = None,
    replay: ReplayRater | None = None,
    mode: str | None = None,
    say: Callable[[str], object] = print,
) -> Gathered:
    """The answers of a session, topped up to `at_least`, with one line that says how much is whose.

    session: the learner's, the one that the panel drives; its store is read afresh.
    at_least: answers wanted (ties and "both bad" are answers). All of the learner's are used if there are more.
    rater: answers the questions that the learner would be asked next. Its answers are kept under a rater_id of
        their own, with source "simulated" (or the rater's own `source`), and used again the next time.
    replay: recorded answers, to the questions recorded.
    mode: instead of what RLHF_LAB_RATER says.
    say: gets the line.

    With neither rater nor replay there is no top-up. FeedbackError if that leaves no answer at all.
    """
    mode = mode or os.environ.get("RLHF_LAB_RATER") or "human"
    if mode not in MODES:
        raise FeedbackError(f"RLHF_LAB_RATER must be one of {', '.join(MODES)}; got {mode!r}.")
    session.refresh()
    own = [record for record in session.records if record.status == "submitted"]
    missing = max(at_least - len(own), 0)
    extra: list[Record] = []
    helper = ""
    if missing and mode == "replay" and replay is not None:
        extra = _top_up(session, missing, replay, "replay", replay.items_of(session.kind))
        helper = f"recorded from {rater_name(replay)!r}"
    elif missing and rater is not None:
        source = getattr(rater, "source", "simulated")
        extra = _top_up(session, missing, rater, source, None)
        helper = f"by the {'model' if source == 'model' else 'simulated rater'} {rater_name(rater)!r}"
    if not own and not extra:
        raise FeedbackError(f"There are no answers for {session.task_id!r} yet. Rate some above, then run this again.")
    gathered = Gathered((*own, *extra), _line(session, own, extra, helper, at_least, mode))
    say(gathered.line)
    return gathered


def _top_up(session: RatingSession, missing: int, rater: Rater, source: str, queue: list | None) -> list[Record]:
    """`missing` answers of another rater to questions that the learner has not answered; fewer if they run out.

    What that rater answered before is used first, so that nothing piles up.
    """
    others = session.sibling(f"{source}-{rater_name(rater)}", source, given=session.records, queue=queue)
    taken = {record.item_id for record in session.records if record.status == "submitted"}

    def usable() -> list[Record]:
        return [r for r in others.records if r.status == "submitted" and r.item_id not in taken]

    rate_with(others, rater, limit=max(missing - len(usable()), 0))
    return usable()[:missing]


def _line(session: RatingSession, own: list[Record], extra: list[Record], helper: str, at_least: int, mode: str) -> str:
    total = len(own) + len(extra)
    noun = "comparison" if session.kind == "compare" else "answer"
    mine = "yours" if session.source == "human" else f"by {session.rater_id!r}"
    if own and extra:
        shares = f": {len(own)} {mine}, {len(extra)} {helper}"
    else:
        shares = f", {'all ' if total > 1 else ''}{mine if own else helper}"
    undecided = sum(record.winner in VERDICTS for record in (*own, *extra))
    line = f"Using {total} {noun}{'s' * (total != 1)}{shares}"
    if undecided:
        line += f"; {undecided} prefer{'s' * (undecided == 1)} neither text"
    if total < at_least:
        line += f" ({at_least} were asked for)"
    line += "."
    if mode == "human" and extra:
        line += " Rate more above and run this cell again to use more of your own."
    return line
