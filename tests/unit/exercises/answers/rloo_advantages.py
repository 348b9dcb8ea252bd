import torch


def right_from_the_mean(rewards):
    k = rewards.shape[1]
    return (rewards - rewards.mean(1, keepdim=True)) * k / (k - 1)


def right_loops(rewards):
    answer = torch.empty_like(rewards)
    for p, row in enumerate(rewards):
        for i in range(len(row)):
            answer[p, i] = row[i] - torch.cat([row[:i], row[i + 1 :]]).mean()
    return answer


def right_matrix_in_float64(rewards):
    k = rewards.shape[1]
    matrix = torch.eye(k).double() - (1 - torch.eye(k).double()) / (k - 1)
    return torch.einsum("pk,jk->pj", rewards.double(), matrix)


def right_pairs(rewards):
    return (rewards[:, :, None] - rewards[:, None, :]).sum(2) / (rewards.shape[1] - 1)


def spoils_in_place(rewards):
    rewards -= rewards.mean(1, keepdim=True)
    rewards *= rewards.shape[1] / (rewards.shape[1] - 1)
    return rewards


def wrong_own_included(rewards):
    return torch.stack([row - row.mean() for row in rewards])


def wrong_over_the_batch(rewards):
    n = rewards.numel()
    return (rewards - rewards.mean()) * n / (n - 1)


def wrong_wrong_sign(rewards):
    return (rewards[:, None, :] - rewards[:, :, None]).sum(2) / (rewards.shape[1] - 1)


def wrong_divided_by_k(rewards):
    k = rewards.shape[1]
    return rewards - (rewards.mean(1, keepdim=True) - rewards / k)


def wrong_own_in_sum(rewards):
    return torch.stack([row - row.sum() / (len(row) - 1) for row in rewards])


def wrong_divided_by_std(rewards):
    k = rewards.shape[1]
    centred = (rewards - rewards.mean(1, keepdim=True)) * k / (k - 1)
    return centred / (rewards.std(1, keepdim=True) + 1e-8)


def wrong_group_normalised(rewards):
    mean, deviation = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    return (rewards - mean) / (deviation + 1e-8)


def wrong_down_the_prompts(rewards):
    return rewards - (rewards.sum(0) - rewards) / (len(rewards) - 1)
