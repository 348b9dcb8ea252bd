"""Feedback: what people (and simulated raters) say about texts, kept safe and turned into training data.

`FeedbackStore` keeps events on disk. `RatingSession` decides what is shown and records what is answered; a
panel in a notebook, a simulated rater and a recording all answer through it. `gather` is what a notebook
cell calls to get answers to train on. Nothing here needs torch or Jupyter.
"""

from rlhf_lab.feedback.errors import (
    ConflictError,
    FeedbackError,
    NoAnswerError,
    RecordError,
    StoreBusyError,
    StoreError,
)
from rlhf_lab.feedback.files import read_records, write_records
from rlhf_lab.feedback.gather import Gathered, gather
from rlhf_lab.feedback.pairs import PreferencePair, TiedPair, preference_pairs, tied_pairs
from rlhf_lab.feedback.raters import (
    Rater,
    ReplayRater,
    compare_value,
    edit_value,
    rank_value,
    rate_with,
    rater_name,
)
from rlhf_lab.feedback.records import Candidate, Item, Record, compare_item, effective, question
from rlhf_lab.feedback.session import AdaptiveQueue, RatingSession, View
from rlhf_lab.feedback.store import FeedbackStore

__all__ = [
    "AdaptiveQueue",
    "Candidate",
    "ConflictError",
    "FeedbackError",
    "FeedbackStore",
    "Gathered",
    "Item",
    "NoAnswerError",
    "PreferencePair",
    "Rater",
    "RatingSession",
    "Record",
    "RecordError",
    "ReplayRater",
    "StoreBusyError",
    "StoreError",
    "TiedPair",
    "View",
    "compare_item",
    "compare_value",
    "edit_value",
    "effective",
    "gather",
    "preference_pairs",
    "question",
    "rank_value",
    "rate_with",
    "rater_name",
    "read_records",
    "tied_pairs",
    "write_records",
]
