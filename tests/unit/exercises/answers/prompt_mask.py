import torch


def right_loops(prompt_lengths, lengths, width):
    mask = torch.zeros(len(lengths), width, dtype=torch.bool)
    for i in range(len(lengths)):
        mask[i, int(prompt_lengths[i]) : int(lengths[i])] = True
    return mask


def right_nested_lists(prompt_lengths, lengths, width):
    rows = zip(prompt_lengths.tolist(), lengths.tolist(), strict=True)
    return torch.tensor([[p <= t < n for t in range(width)] for p, n in rows])


def right_one_comparison(prompt_lengths, lengths, width):
    column = torch.arange(width).expand(len(lengths), width)
    return (column < lengths.unsqueeze(1)).logical_xor(column < prompt_lengths.unsqueeze(1))


def right_in_place(prompt_lengths, lengths, width):
    column = torch.arange(width).repeat(len(lengths), 1).double()
    mask = column.lt(lengths.view(-1, 1))
    mask &= column.ge(prompt_lengths.view(-1, 1))
    return mask


def _slices(prompt_lengths, lengths, width, first, last):
    mask = torch.zeros(len(lengths), width, dtype=torch.bool)
    for row, (p, n) in enumerate(zip(prompt_lengths.tolist(), lengths.tolist(), strict=True)):
        mask[row, max(0, first(p, n)) : last(p, n)] = True
    return mask


def wrong_prompt_learned(prompt_lengths, lengths, width):
    return torch.arange(width)[None, :] < lengths[:, None]


def wrong_only_prompt(prompt_lengths, lengths, width):
    return _slices(prompt_lengths, lengths, width, lambda p, n: 0, lambda p, n: p)


def wrong_padding_learned(prompt_lengths, lengths, width):
    return torch.arange(width)[None, :] >= prompt_lengths[:, None]


def wrong_end_missing(prompt_lengths, lengths, width):
    return _slices(prompt_lengths, lengths, width, lambda p, n: p, lambda p, n: n - 1)


def wrong_first_missing(prompt_lengths, lengths, width):
    column = torch.arange(width)
    return (column > prompt_lengths[:, None]) & (column < lengths[:, None])


def wrong_one_too_early(prompt_lengths, lengths, width):
    return _slices(prompt_lengths, lengths, width, lambda p, n: p - 1, lambda p, n: n)


def wrong_one_too_late(prompt_lengths, lengths, width):
    column = torch.arange(width)
    return (column >= prompt_lengths[:, None]) & (column <= lengths[:, None])


def wrong_inverted(prompt_lengths, lengths, width):
    column = torch.arange(width)
    return (column < prompt_lengths[:, None]) | (column >= lengths[:, None])


def wrong_shifted_already(prompt_lengths, lengths, width):
    column = torch.arange(1, width + 1)
    return (column >= prompt_lengths[:, None]) & (column < lengths[:, None])


def wrong_either(prompt_lengths, lengths, width):
    column = torch.arange(width).expand(len(lengths), width)
    return torch.logical_or(column >= prompt_lengths.unsqueeze(1), column < lengths.unsqueeze(1))
