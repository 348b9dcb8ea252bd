import torch


def right_loops(mask):
    grpo, dapo, dr_grpo = (torch.zeros(mask.shape) for _ in range(3))
    for i, row in enumerate(mask):
        for j, real in enumerate(row):
            if real:
                grpo[i, j] = 1 / (int(row.sum()) * len(mask))
                dapo[i, j] = 1 / int(mask.sum())
                dr_grpo[i, j] = 1 / len(mask)
    return grpo, dapo, dr_grpo


def right_list_in_float64(mask):
    m = mask.double()
    return [m / (m.sum(1)[:, None] * m.shape[0]), m / m.sum(), m / m.shape[0]]


def right_where(mask):
    lengths = mask.sum(1, keepdim=True).expand(mask.shape)
    below = (lengths * len(mask), mask.sum().expand(mask.shape), torch.full(mask.shape, len(mask)))
    return tuple(torch.where(mask, 1 / count, torch.zeros(())) for count in below)


def right_in_place(mask):
    dr_grpo = mask.float()
    dr_grpo /= len(mask)
    dapo = mask.float()
    dapo /= dapo.sum()
    grpo = torch.einsum("bt,b->bt", dr_grpo, 1 / mask.sum(1))
    return grpo, dapo, dr_grpo


def _weights(mask):
    m = mask.float()
    return m, m.sum(1, keepdim=True), m.sum(), m.shape[0]


def wrong_swapped(mask):
    m, lengths, tokens, count = _weights(mask)
    return m / tokens, m / lengths / count, m / count


def wrong_padding_counted(mask):
    m, _, tokens, count = _weights(mask)
    return m / m.shape[1] / count, m / tokens, m / count


def wrong_grpo_not_averaged(mask):
    m, lengths, tokens, count = _weights(mask)
    return m / lengths, m / tokens, m / count


def wrong_all_entries(mask):
    m, lengths, _, count = _weights(mask)
    return m / lengths / count, m / (m.shape[0] * m.shape[1]), m / count


def wrong_dr_grpo_not_averaged(mask):
    m, lengths, tokens, count = _weights(mask)
    return m / lengths / count, m / tokens, m


def wrong_on_the_padding(mask):
    m, lengths, tokens, count = _weights(mask)
    ones = torch.ones_like(m)
    return ones / lengths / count, ones / tokens, ones / count
