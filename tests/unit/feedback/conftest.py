"""A store in a temporary folder, and questions to put into sessions."""

import pytest
from kit import make_record

from rlhf_lab.feedback import FeedbackStore, RatingSession, compare_item


def make_items(count, prefix=""):
    return [
        compare_item(f"Prompt {prefix}{i}:", f" first {prefix}{i}", f" second {prefix}{i}", ("old", "new"))
        for i in range(count)
    ]


@pytest.fixture
def items():
    return make_items(4)


@pytest.fixture
def record():
    return make_record


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / "feedback.sqlite")


@pytest.fixture
def session(store, items):
    return RatingSession(store, "task", items)


class PrefersFirst:
    """A rater that always prefers the text that says "first"; and counts how often it was asked."""

    name = "first"

    def __init__(self):
        self.asked = []

    def compare(self, prompt, left, right):
        self.asked.append(prompt)
        return "left" if "first" in left else "right"


@pytest.fixture
def rater():
    return PrefersFirst()


def answer(session, verdict="left", **how):
    """Answer the question on the screen by side, as a panel does."""
    from rlhf_lab.feedback import compare_value

    view = session.view()
    return session.answer(compare_value(view, verdict), view.turn, **how)


@pytest.fixture(name="answer")
def answer_fixture():
    return answer
