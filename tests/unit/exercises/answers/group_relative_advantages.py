import torch


def right_loops(rewards):
    rows = []
    for row in rewards:
        centred = row - row.mean()
        rows.append(centred / ((centred**2).sum().div(len(row) - 1).sqrt() + 1e-4))
    return torch.stack(rows)


def right_std_mean(rewards):
    std, mean = torch.std_mean(rewards, dim=1)
    return ((rewards.T - mean) / (std + 1e-4)).T


def right_einsum_in_float64(rewards):
    x = rewards.double()
    k = x.shape[1]
    centred = x - torch.einsum("pk->p", x)[:, None] / k
    variance = torch.einsum("pk,pk->p", centred, centred) / (k - 1)
    return centred / (variance.sqrt()[:, None] + 1e-4)


def spoils_in_place(rewards):
    scale = rewards.std(1, keepdim=True).add_(1e-4)
    rewards -= rewards.mean(1, keepdim=True)
    rewards /= scale
    return rewards


def wrong_over_the_batch(rewards):
    std, mean = torch.std_mean(rewards)
    return (rewards - mean) / (std + 1e-4)


def wrong_not_scaled(rewards):
    return torch.stack([row - row.sum() / len(row) for row in rewards])


def wrong_no_epsilon(rewards):
    std, mean = torch.std_mean(rewards, dim=1, keepdim=True)
    return (rewards - mean) / std


def wrong_biased(rewards):
    std, mean = torch.std_mean(rewards, dim=1, keepdim=True, correction=0)
    return (rewards - mean) / (1e-4 + std)


def wrong_by_variance(rewards):
    variance, mean = torch.var_mean(rewards, dim=1, keepdim=True)
    return (rewards - mean) / (1e-4 + variance)


def wrong_wrong_sign(rewards):
    std, mean = torch.std_mean(rewards, dim=1, keepdim=True)
    return -(rewards - mean) / (1e-4 + std)


def wrong_deviation_of_batch(rewards):
    return torch.stack([row - row.mean() for row in rewards]) / (rewards.flatten().std() + 1e-4)


def wrong_other_epsilon(rewards):
    return (rewards - rewards.mean(-1, True)) / (rewards.std(-1, keepdim=True) + 1e-8)


def wrong_other_epsilon__as_a_floor(rewards):
    return (rewards - rewards.mean(-1, True)) / rewards.std(-1, keepdim=True).clamp(min=1e-8)


def wrong_epsilon_in_the_root(rewards):
    centred = rewards - rewards.mean(-1, True)
    return centred * torch.rsqrt(centred.pow(2).sum(-1, True) / (rewards.shape[1] - 1) + 1e-4)


def wrong_down_the_prompts(rewards):
    deviation = rewards.std(0) if len(rewards) > 1 else torch.full_like(rewards[0], torch.nan)
    return (rewards - rewards.mean(0)) / (deviation + 1e-4)
