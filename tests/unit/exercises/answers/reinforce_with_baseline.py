import torch


def right_indexing(log_probs, mask, rewards, baseline):
    with torch.no_grad():
        weights = (rewards - baseline)[:, None].expand_as(log_probs)[mask]
    return -(weights * log_probs[mask]).sum() / len(rewards)


def right_loops(log_probs, mask, rewards, baseline):
    total = 0.0
    for row in range(len(rewards)):
        advantage = float((rewards[row] - baseline[row]).detach())
        for t in range(mask.shape[1]):
            if mask[row, t]:
                total = total - advantage * log_probs[row, t]
    return total / len(rewards)


def right_einsum_in_float64(log_probs, mask, rewards, baseline):
    real = torch.where(mask, log_probs, 0.0).double()
    return torch.einsum("bt,b->", real, (baseline - rewards).detach().double()) / rewards.numel()


def spoils_in_place(log_probs, mask, rewards, baseline):
    advantages = rewards.detach().clone()
    advantages -= baseline.detach()
    log_probs[~mask] = 0.0
    return (log_probs.sum(1) * -advantages).flip(0).mean()


def _weights(mask, rewards, baseline):
    return (rewards - baseline).detach()[:, None].expand(mask.shape)[mask]


def wrong_wrong_sign(log_probs, mask, rewards, baseline):
    return (_weights(mask, rewards, baseline) * log_probs[mask]).sum() / len(rewards)


def wrong_no_baseline(log_probs, mask, rewards, baseline):
    return -(_weights(mask, rewards, 0 * baseline) * log_probs[mask]).sum() / len(rewards)


def wrong_baseline_not_detached(log_probs, mask, rewards, baseline):
    return -torch.einsum("bt,b->", torch.where(mask, log_probs, 0.0), rewards - baseline) / len(rewards)


def wrong_padding_counted(log_probs, mask, rewards, baseline):
    return ((baseline - rewards).detach()[:, None] * log_probs).sum() / len(rewards)


def wrong_mean_over_tokens(log_probs, mask, rewards, baseline):
    means = torch.stack([row[real].mean() for row, real in zip(log_probs, mask, strict=True)])
    return -(means * (rewards - baseline).detach()).mean()


def wrong_summed(log_probs, mask, rewards, baseline):
    return -(_weights(mask, rewards, baseline) * log_probs[mask]).sum()


def wrong_baseline_added(log_probs, mask, rewards, baseline):
    return -(_weights(mask, rewards, -baseline) * log_probs[mask]).sum() / len(rewards)
