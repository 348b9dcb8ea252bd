import torch


def right_with_infinity(rewards, prompt_ids):
    prompts = torch.arange(int(prompt_ids.max()) + 1)
    own = prompt_ids[None, :] == prompts[:, None]
    return torch.where(own, rewards[None, :], -torch.inf).argmax(1)


def right_loop_over_rows(rewards, prompt_ids):
    best = {}
    for row, (reward, prompt) in enumerate(zip(rewards.tolist(), prompt_ids.tolist(), strict=True)):
        if prompt not in best or reward > best[prompt][0]:
            best[prompt] = (reward, row)
    return torch.tensor([best[prompt][1] for prompt in sorted(best)])


def right_in_place(rewards, prompt_ids):
    best = []
    for prompt in prompt_ids.unique():
        own = rewards.clone()
        own[prompt_ids != prompt] = float("-inf")
        best.append(own.argmax())
    return torch.stack(best)


def right_sorted(rewards, prompt_ids):
    order = rewards.argsort(descending=True, stable=True)
    return torch.stack([order[prompt_ids[order] == p][0] for p in range(int(prompt_ids.max()) + 1)])


def wrong_place_in_prompt(rewards, prompt_ids):
    return torch.tensor([int(rewards[prompt_ids == p].argmax()) for p in prompt_ids.unique()])


def wrong_best_overall(rewards, prompt_ids):
    return rewards.argmax().repeat(int(prompt_ids.max()) + 1)


def wrong_others_are_zero(rewards, prompt_ids):
    own = torch.nn.functional.one_hot(prompt_ids).T * rewards
    return own.argmax(1)


def wrong_worst(rewards, prompt_ids):
    prompts = torch.arange(int(prompt_ids.max()) + 1)
    own = prompt_ids[None, :] == prompts[:, None]
    return torch.where(own, rewards[None, :], torch.inf).argmin(1)


def wrong_last_of_equals(rewards, prompt_ids):
    best = {}
    for row, (reward, prompt) in enumerate(zip(rewards.tolist(), prompt_ids.tolist(), strict=True)):
        if prompt not in best or reward >= best[prompt][0]:
            best[prompt] = (reward, row)
    return torch.tensor([best[prompt][1] for prompt in sorted(best)])


def wrong_rewards_not_rows(rewards, prompt_ids):
    return torch.stack([rewards[prompt_ids == p].max() for p in prompt_ids.unique()])


def wrong_order_of_appearance(rewards, prompt_ids):
    best = {}
    for row, (reward, prompt) in enumerate(zip(rewards.tolist(), prompt_ids.tolist(), strict=True)):
        if prompt not in best or reward > best[prompt][0]:
            best[prompt] = (reward, row)
    return torch.tensor([row for _, row in best.values()])


def wrong_neighbours(rewards, prompt_ids):
    each = len(rewards) // (int(prompt_ids.max()) + 1)
    starts = range(0, each * (int(prompt_ids.max()) + 1), each)
    return torch.stack([start + rewards[start : start + each].argmax() for start in starts])
