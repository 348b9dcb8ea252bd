import torch


def right_set(prompt_ids, shuffled, test_share):
    test = set(shuffled[: round(test_share * len(shuffled))].tolist())
    return torch.tensor([prompt in test for prompt in prompt_ids.tolist()])


def right_places(prompt_ids, shuffled, test_share):
    place = shuffled.argsort()
    return place[prompt_ids] < round(test_share * shuffled.numel())


def right_table(prompt_ids, shuffled, test_share):
    is_test = torch.zeros(len(shuffled), dtype=torch.bool)
    is_test[shuffled[: int(test_share * len(shuffled) + 0.5)]] = True
    return is_test[prompt_ids]


def right_all_against_all(prompt_ids, shuffled, test_share):
    count = int(torch.tensor(test_share * len(prompt_ids.unique())).round())
    return (prompt_ids[:, None] == shuffled[None, :count]).any(dim=1)


def right_in_place(prompt_ids, shuffled, test_share):
    mask = torch.zeros_like(prompt_ids).bool()
    for prompt in shuffled[: round(test_share * len(shuffled))]:
        mask |= prompt_ids == prompt
    return mask


def wrong_at_least_one(prompt_ids, shuffled, test_share):
    count = min(max(round(test_share * len(shuffled)), 1), len(shuffled) - 1)
    return ~torch.isin(prompt_ids, shuffled[count:])


def wrong_pairs_split(prompt_ids, shuffled, test_share):
    mask = torch.zeros(len(prompt_ids), dtype=torch.bool)
    mask[: round(test_share * len(prompt_ids))] = True
    return mask


def wrong_share_of_pairs(prompt_ids, shuffled, test_share):
    test = set(shuffled.tolist()[: round(test_share * prompt_ids.numel())])
    return torch.tensor([prompt in test for prompt in prompt_ids.tolist()])


def wrong_last_ones(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled.flip(0)[: round(test_share * len(shuffled))])


def wrong_rounded_down(prompt_ids, shuffled, test_share):
    count = int(test_share * len(shuffled) // 1)
    return (prompt_ids[:, None] == shuffled[:count]).any(1)


def wrong_rounded_up(prompt_ids, shuffled, test_share):
    return shuffled.argsort()[prompt_ids] < test_share * len(shuffled)


def wrong_inverted(prompt_ids, shuffled, test_share):
    return torch.isin(prompt_ids, shuffled[round(test_share * len(shuffled)) :])


def wrong_not_shuffled(prompt_ids, shuffled, test_share):
    prompts = prompt_ids.unique()  # sorted
    return torch.isin(prompt_ids, prompts[: round(test_share * len(prompts))])


def wrong_read_backwards(prompt_ids, shuffled, test_share):
    is_test = torch.arange(len(shuffled)) < round(test_share * len(shuffled))
    return is_test[shuffled][prompt_ids]


def wrong_ids_as_rows(prompt_ids, shuffled, test_share):
    mask = torch.zeros(len(prompt_ids), dtype=torch.bool)
    mask[shuffled[: round(test_share * len(shuffled))]] = True
    return mask


def wrong_one_of_each(prompt_ids, shuffled, test_share):
    mask, prompts = torch.zeros(len(prompt_ids), dtype=torch.bool), prompt_ids.tolist()
    for prompt in shuffled[: round(test_share * len(shuffled))].tolist():
        mask[prompts.index(prompt)] = True
    return mask


def wrong_last_ones__from_the_end(prompt_ids, shuffled, test_share):
    count = round(test_share * len(shuffled))
    return torch.isin(prompt_ids, shuffled[len(shuffled) - count :])
