import torch


def right_flip(mask):
    return mask.shape[1] - 1 - mask.flip(1).int().argmax(1)


def right_loop(mask):
    return torch.stack([row.nonzero()[-1, 0] for row in mask])


def right_lists(mask):
    return torch.tensor([max(i for i, real in enumerate(row) if real) for row in mask.tolist()], dtype=torch.int32)


def right_product(mask):
    return torch.einsum("bl,l->bl", mask.float(), torch.arange(mask.shape[1]).float()).amax(1).long()


def right_cumulative(mask):
    return mask.int().cumsum(1).argmax(1)


def wrong_count(mask):
    return (mask.float() @ torch.ones(mask.shape[1])).long()


def wrong_count_less_one(mask):
    return torch.tensor([int(row.sum()) - 1 for row in mask])


def wrong_last_column(mask):
    return torch.tensor([len(row) - 1 for row in mask])


def wrong_first_real(mask):
    return torch.stack([row.nonzero()[0, 0] for row in mask])


def wrong_one_early(mask):
    return mask.shape[1] - 2 - mask.flip(1).int().argmax(1)


def wrong_before_padding(mask):
    return mask.int().argmin(dim=1).sub(1)


def wrong_one_late(mask):
    return mask.shape[1] - mask.flip(1).long().argmax(1)
