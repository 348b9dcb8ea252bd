import pytest

from rlhf_lab.feedback.pairs import PreferencePair, TiedPair, answered_pair


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("left", PreferencePair("p", "a", "b", "p")),
        ("right", PreferencePair("p", "b", "a", "p")),
        (("right", 3), PreferencePair("p", "b", "a", "p", 3)),
        ("tie", TiedPair("p", "a", "b", "p")),
        ("both_bad", None),
    ],
)
def test_a_plain_answer_becomes_an_example(answer, wanted):
    assert answered_pair("p", "a", "b", answer) == wanted
