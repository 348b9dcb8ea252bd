import torch


def right_columns_less_padding(mask):
    padding = (~mask).sum(1, keepdim=True)
    return torch.relu(torch.arange(mask.shape[1]) - padding)


def right_loops(mask):
    positions = torch.zeros(mask.shape, dtype=torch.int32)
    for i, row in enumerate(mask.tolist()):
        n = sum(row)
        for k in range(n):
            positions[i, len(row) - n + k] = k
    return positions


def right_tokens_before(mask):
    counted = torch.cumsum(mask.double(), dim=1)
    return (counted - mask.double()).long()


def right_matrix(mask):
    upper = torch.triu(torch.ones(mask.shape[1], mask.shape[1]), diagonal=1)
    return torch.einsum("bp,pq->bq", mask.float(), upper).long()


def right_in_place(mask):
    counted = mask.long().cumsum(1)
    counted -= 1
    counted[counted < 0] = 0
    return counted


def wrong_columns(mask):
    return torch.cumsum(torch.ones_like(mask, dtype=torch.long), 1) - 1


def wrong_from_one(mask):
    return torch.arange(1, mask.shape[1] + 1).sub((~mask).sum(1, keepdim=True)).clamp(min=0)


def wrong_minus_one(mask):
    return (torch.arange(mask.shape[1]) - (~mask).sum(1, keepdim=True)).clamp(min=-1)


def wrong_backwards(mask):
    return torch.where(mask, torch.arange(mask.shape[1] - 1, -1, -1), mask.sum(1, keepdim=True) - 1)


def wrong_down_the_batch(mask):
    return torch.relu(mask.int().cumsum(dim=0) - 1)


def wrong_columns_masked(mask):
    return torch.arange(mask.shape[1]).expand_as(mask).masked_fill(~mask, 0)


def wrong_the_mask(mask):
    return mask.clone().int()


def wrong_padding_is_one(mask):
    positions = mask.int().cumsum(-1) - 1
    positions[~mask] = 1
    return positions


def wrong_not_clamped(mask):
    first = mask.int().argmax(1)
    return torch.arange(mask.shape[1])[None] - first[:, None]
