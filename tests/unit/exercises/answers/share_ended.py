import torch


def right_loops(completion_ids, completion_mask, end_id):
    ended = 0
    for ids, mask in zip(completion_ids, completion_mask, strict=True):
        ended += any(int(i) == end_id for i, real in zip(ids, mask, strict=True) if real)
    return torch.tensor(ended / len(completion_ids))


def right_last_real_token(completion_ids, completion_mask, end_id):
    last = completion_ids.gather(1, completion_mask.sum(1, keepdim=True) - 1)
    return (last == end_id).double().mean()


def right_count_and_compare(completion_ids, completion_mask, end_id):
    ends = torch.einsum("bt,bt->b", (completion_ids == end_id).float(), completion_mask.float())
    return (ends > 0).sum() / len(ends)


def spoils_in_place(completion_ids, completion_mask, end_id):
    completion_ids[~completion_mask] = end_id + 1
    return completion_ids.eq(end_id).amax(1).float().mean()


def wrong_padding_counted(completion_ids, completion_mask, end_id):
    return torch.stack([(row == end_id).any() for row in completion_ids]).float().mean()


def wrong_last_column(completion_ids, completion_mask, end_id):
    return sum(row[-1] == end_id for row in completion_ids) / len(completion_ids)


def wrong_counted(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) * completion_mask).amax(1).float().sum()


def wrong_share_of_tokens(completion_ids, completion_mask, end_id):
    return (completion_ids[completion_mask] == end_id).float().mean()


def wrong_share_of_columns(completion_ids, completion_mask, end_id):
    return ((completion_ids == end_id) & completion_mask).sum() / completion_ids.numel()


def wrong_share_cut_off(completion_ids, completion_mask, end_id):
    return ((completion_ids != end_id) | ~completion_mask).all(1).float().mean()


def wrong_fixed_id(completion_ids, completion_mask, end_id):
    return ((completion_ids == 1) * completion_mask).amax(1).float().mean()


def wrong_columns_with_an_end(completion_ids, completion_mask, end_id):
    is_end = (completion_ids == end_id).logical_and(completion_mask)
    return is_end.float().amax(0).mean()
