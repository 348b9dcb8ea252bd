"""Feedback: what people (and simulated raters) say about texts, kept safe and turned into training data.

`FeedbackStore` keeps events on disk. `RatingSession` decides what is shown and records what is answered; a
panel in a notebook, a simulated rater and a recording all answer through it. `gather` is what a notebook
cell calls to get answers to train on. Nothing here needs torch or Jupyter.

Imported by their own names: `feedback.agreement` (what ratings are worth), which needs numpy, and
`feedback.formats` (exports and imports: TRL, Argilla, Chatbot Arena, hh-rlhf).
"""

from rlhf_lab.feedback.errors import (
    ConflictError,
    FeedbackError,
    NoAnswerError,
    RecordError,
    StoreBusyError,
    StoreError,
)
from rlhf_lab.feedback.examples import (
    CompletionExample,
    UnpairedExample,
    completion_examples,
    split_by_group,
    unpaired_examples,
)
from rlhf_lab.feedback.files import read_records, write_records
from rlhf_lab.feedback.gather import Gathered, gather
from rlhf_lab.feedback.pairs import PreferencePair, TiedPair, preference_pairs, tied_pairs
from rlhf_lab.feedback.queues import MixedQueue, at_random, deal, in_order
from rlhf_lab.feedback.raters import (
    Rater,
    ReplayRater,
    compare_value,
    edit_value,
    rank_value,
    rate_with,
    rater_name,
)
from rlhf_lab.feedback.records import Candidate, Item, Record, compare_item, effective, question, repeat_of
from rlhf_lab.feedback.session import AdaptiveQueue, RatingSession, View
from rlhf_lab.feedback.shares import Share
from rlhf_lab.feedback.store import FeedbackStore
