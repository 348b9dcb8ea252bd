import torch


def _rows(clicked, order):
    return zip(clicked.tolist(), order.tolist(), strict=True)


def right_loop(clicked, order):
    winners = [2 if c == 2 else pair[c] for c, pair in _rows(clicked, order)]
    return torch.tensor(winners)


def right_third_column(clicked, order):
    with_tie = torch.cat([order, torch.full((len(order), 1), 2)], dim=1)
    return with_tie.gather(1, clicked.unsqueeze(1)).squeeze(1)


def right_flip_where_swapped(clicked, order):
    is_swapped = order[:, 0] == 1
    return torch.where(is_swapped & (clicked != 2), 1 - clicked, clicked)


def right_xor(clicked, order):
    return torch.where(clicked < 2, clicked ^ order[:, 0], clicked).int()


def spoils_in_place(clicked, order):
    for left, right in ((clicked == 0, 0), (clicked == 1, 1)):
        clicked[left] = order[left, right]
    return clicked


def wrong_side(clicked, order):
    return clicked.clone()


def wrong_side__through_the_order_twice(clicked, order):
    return torch.tensor([2 if c == 2 else pair.index(pair[c]) for c, pair in _rows(clicked, order)])


def wrong_loser(clicked, order):
    return torch.tensor([2 if c == 2 else pair[1 - c] for c, pair in _rows(clicked, order)])


def wrong_always_swapped(clicked, order):
    return torch.tensor([1, 0, 2])[clicked]


def wrong_ties_swapped(clicked, order):
    left = order[:, 0]
    return clicked * (1 - left) + (1 - clicked) * left


def wrong_tie_to_the_right(clicked, order):
    return torch.where(clicked == 0, order[:, 0], order[:, 1])


def wrong_tie_to_the_left(clicked, order):
    return order[torch.arange(len(order)), clicked % 2]


def wrong_tie_is_zero(clicked, order):
    winners = torch.zeros_like(clicked)
    for column in (0, 1):
        winners[clicked == column] = order[clicked == column, column]
    return winners


def wrong_ties_dropped(clicked, order):
    kept = clicked != 2
    return order[kept].gather(1, clicked[kept][:, None])[:, 0]


def wrong_from_one(clicked, order):
    return torch.tensor([2 if c == 2 else pair[c] + 1 for c, pair in _rows(clicked, order)])


def wrong_left_text(clicked, order):
    winners = order[:, 0].clone()
    winners[clicked == 2] = 2
    return winners


def wrong_first_order(clicked, order):
    return torch.tensor([*order[0].tolist(), 2])[clicked]
