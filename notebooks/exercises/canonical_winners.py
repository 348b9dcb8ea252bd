"""Exercise of notebook 02: from a click on a side to the text that won."""

import torch
from torch import Tensor

from rlhf_lab.exercises.drawing import size, whole
from rlhf_lab.exercises.framework import Case, Exercise, mistake


def canonical_winners(clicked: Tensor, order: Tensor) -> Tensor:
    """Which text won each comparison, whichever side of the screen it was on.

    clicked: (N,) what was chosen: 0 the text on the left, 1 the text on the right, 2 a tie.
    order: (N, 2), the number (0 or 1) of the text on the left, and of the text on the right.
    Returns (N,) whole numbers: the number of the winning text, 2 for a tie.
    """
    row = torch.arange(len(order))
    side = clicked.clamp(max=1)  # a tie has no side: take any, the last line does not use it
    text = order[row, side]
    return torch.where(clicked == 2, 2, text)


def _orders(*left):
    """(N, 2) from the texts on the left."""
    left = torch.tensor(left)
    return torch.stack([left, 1 - left], 1)


def cases():
    yield Case("text 0 won twice, once on each side", (torch.tensor([0, 1]), _orders(0, 1)))
    yield Case("two ties", (torch.tensor([2, 2]), _orders(0, 1)))
    yield Case("all that can happen", (torch.tensor([0, 0, 1, 1, 2, 2]), _orders(1, 0, 1, 0, 1, 0)))
    yield Case("a rater who always clicks left", (torch.tensor([0, 0, 0, 0]), _orders(0, 1, 1, 0)))
    yield Case("one answer", (torch.tensor([1]), _orders(1)))


def draw(generator):
    n = size(generator, 4, 10)
    clicked, left = whole(generator, 0, 2, n), whole(generator, 0, 1, n)
    return clicked, torch.stack([left, 1 - left], 1)


def _text(order, side):
    return order[torch.arange(len(order)), side]


@mistake(
    "You returned the side, not the text.",
    "Left and right are drawn anew for every question. `order` says which text was on the side that was chosen.",
)
def side(clicked, order):
    return clicked


@mistake("You returned the text that lost.", "`order[i, 0]` was on the left and `order[i, 1]` on the right.")
def loser(clicked, order):
    return torch.where(clicked == 2, 2, _text(order, 1 - clicked.clamp(max=1)))


@mistake("You swapped every answer.", "Only where text 1 was on the left is the side not the number of the text.")
def always_swapped(clicked, order):
    return torch.where(clicked == 2, 2, 1 - clicked)


@mistake("You swapped the ties as well.", "A tie is the same from both sides: 2, whichever text was where.")
def ties_swapped(clicked, order):
    return torch.where(order[:, 0] == 1, 1 - clicked, clicked)


@mistake(
    "You made each tie a win of the text on the right.",
    "Somebody could not say which is better. A winner made up from the sides is noise: keep the 2.",
)
def tie_to_the_right(clicked, order):
    return _text(order, clicked.clamp(max=1))


@mistake(
    "You made each tie a win of the text on the left.",
    "Somebody could not say which is better. A winner made up from the sides is noise: keep the 2.",
)
def tie_to_the_left(clicked, order):
    return _text(order, (clicked == 1).long())


@mistake("You made each tie a win of text 0.", "0 is a text. A tie is 2, so that nobody takes it for a win.")
def tie_is_zero(clicked, order):
    return torch.where(clicked == 2, 0, _text(order, clicked.clamp(max=1)))


@mistake("You left out the ties.", "One result for each answer, so that row i is still question i. A tie is 2.")
def ties_dropped(clicked, order):
    return canonical_winners(clicked, order)[clicked != 2]


@mistake("You counted the texts from 1.", "They are 0 and 1, as `order` calls them. A 2 is a tie.")
def from_one(clicked, order):
    return torch.where(clicked == 2, 2, _text(order, clicked.clamp(max=1)) + 1)


@mistake("That is the text on the left, whichever was chosen.", "`clicked` says which of the two columns to read.")
def left_text(clicked, order):
    return torch.where(clicked == 2, 2, order[:, 0])


@mistake("You used the order of the first question for all.", "Each row has an order of its own: read row i for i.")
def first_order(clicked, order):
    return torch.where(clicked == 2, 2, order[0][clicked.clamp(max=1)])


EXERCISE = Exercise(
    reference=canonical_winners,
    title="texts, not sides",
    question="""
        Some of us click left a little more often, whatever is there. So for every question the screen draws anew
        which text is on the left, and the habit favours no text. But what is kept must name the *text*, not the side.
        Turn the clicks into winners.
    """,
    difficulty=1,
    minutes=8,
    hints=(
        "Leave the ties aside at first. In row i, `order[i]` has two entries: the text on the left and the text on the"
        " right. Which of them does a click of 0 mean, which a click of 1?",
        "`order[torch.arange(N), side]` reads one entry in each row. A tie of 2 would point at a third column, so make"
        " a valid side of it first, `clicked.clamp(max=1)`, and put the 2 back with `torch.where`. Or write a loop.",
    ),
    cases=cases,
    draw=draw,
    mistakes=(
        side,
        loser,
        always_swapped,
        ties_swapped,
        tie_to_the_right,
        tie_to_the_left,
        tie_is_zero,
        ties_dropped,
        from_one,
        left_text,
        first_order,
    ),
)
