"""What counts as the same: exact where it matters, within rounding where it does not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlhf_lab.exercises.comparing import agrees, difference, shown
from rlhf_lab.exercises.execution import Failure, Outcome


def same(yours, expected, **options):
    return agrees(Outcome(yours), Outcome(expected), **options)


FLOATS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=8)


@given(FLOATS, st.sampled_from([torch.float32, torch.float64]))
def test_rounding_is_no_difference_and_a_thousandth_is(values, dtype):
    x = torch.tensor(values, dtype=torch.float64)
    assert same(x.to(dtype), x)
    assert same(x, x.float())
    assert not same(x + 1e-3 * max(1.0, float(x.abs().max())), x.float())


def test_float64_is_held_to_float64():
    x = torch.tensor([1.0], dtype=torch.float64)
    assert not same(x * (1 + 1e-5), x) and same(x.float() * (1 + 1e-5), x)


def test_special_numbers():
    special = torch.tensor([torch.nan, torch.inf, -torch.inf])
    assert same(special, special) and not same(special.flip(0), special)
    assert "NaN" in difference(Outcome(torch.tensor(torch.nan)), Outcome(torch.tensor(1.0)))
    assert "infinite" in difference(Outcome(torch.tensor(torch.inf)), Outcome(torch.tensor(1.0)))


def test_truth_values_and_whole_numbers_are_exact():
    mask = torch.tensor([True, False])
    assert same(mask, mask) and not same(mask.int(), mask) and not same(mask.float(), mask)
    assert same(mask.int(), mask.long()) and not same(mask.float(), mask.long()) and not same(mask, mask.long())
    assert "1 of 2 entries are different, the first at [1]" in difference(
        Outcome(torch.tensor([1, 2])), Outcome(torch.tensor([1, 3]))
    )


@pytest.mark.parametrize("yours", [0.5, 0.5 + 1e-9, torch.tensor(0.5), torch.tensor([0.5]).numpy()[0]])
def test_a_number_is_a_number(yours):
    assert same(yours, 0.5)


@pytest.mark.parametrize("yours", ["0.5x", None, [0.5], torch.ones(2), 0.6])
def test_what_is_no_such_number(yours):
    assert not same(yours, 0.5)


def test_tuples_and_lists():
    assert same((1, 2.0), [1, 2.0]) and not same((1,), (1, 2)) and not same(1, (1, 2)) and not same((2, 1), (1, 2))
    pairs = [("a", "b"), ("b", "c")]
    assert same([["b", "c"], ["a", "b"]], pairs, unordered=True) and not same(pairs[::-1], pairs)
    assert not same([*pairs, pairs[0]], pairs, unordered=True)
    assert same((torch.ones(2), torch.zeros(1)), (torch.ones(2), torch.zeros(1)))


def test_gradients():
    value = torch.tensor(1.0)
    right = Outcome(value, {"x": torch.ones(2)})
    assert not difference(Outcome(value, {"x": torch.ones(2)}), right)
    assert "no gradient reaches x" in difference(Outcome(value, {"x": None}), right)
    assert "gradient with respect to x is not" in difference(Outcome(value, {"x": torch.zeros(2)}), right)
    none = Outcome(value, {"x": None})
    assert not difference(Outcome(value, {"x": torch.zeros(2)}), none)
    assert "where none belongs" in difference(right, none)


def test_failures():
    failed = Outcome(failure=Failure("ValueError", "it broke."))
    assert difference(failed, Outcome(1)) == "it broke." and not difference(failed, failed)
    assert difference(Outcome(1), failed)


def test_values_are_shown_in_a_line():
    assert shown(torch.tensor([[1.0, -0.123456]])) == "[[1, -0.1235]]"
    assert shown(torch.tensor([True])) == "[True]" and shown((1, 2.5)) == "(1, 2.5)" and shown("a") == "'a'"
    assert shown(torch.tensor([torch.nan, torch.inf])) == "[nan, inf]"
    assert shown(torch.zeros(100, 3)) == "shape (100, 3), beginning [0, 0, 0, 0, 0, 0, …]"
    assert len(shown(["word"] * 1000)) < 200
