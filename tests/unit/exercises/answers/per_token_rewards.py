import torch


def right_one_hot(scores, kl, mask, coefficient):
    last = torch.nn.functional.one_hot(mask.sum(1) - 1, mask.shape[1])
    return torch.where(mask, -coefficient * kl, 0.0) + last * scores[:, None]


def right_loops(scores, kl, mask, coefficient):
    rewards = torch.zeros_like(kl)
    for row in range(len(scores)):
        n = int(mask[row].sum())
        for t in range(n):
            rewards[row, t] = -coefficient * kl[row, t]
        rewards[row, n - 1] += scores[row]
    return rewards


def right_neighbour_in_float64(scores, kl, mask, coefficient):
    after = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)
    price = torch.zeros(kl.shape, dtype=torch.float64)
    price[mask] = kl[mask].double() * coefficient
    return torch.einsum("b,bt->bt", scores.double(), (mask & ~after).double()) - price


def spoils_in_place(scores, kl, mask, coefficient):
    kl[~mask] = 0
    kl *= -coefficient
    kl.scatter_add_(1, mask.sum(1, keepdim=True) - 1, scores[:, None])
    return kl


def wrong_last_column(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -coefficient * kl, 0.0)
    rewards[:, -1] += scores
    return rewards


def wrong_every_token(scores, kl, mask, coefficient):
    return torch.where(mask, scores[:, None] - coefficient * kl, 0.0)


def wrong_kl_added(scores, kl, mask, coefficient):
    rewards = torch.where(mask, coefficient * kl, 0.0)
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards


def wrong_score_instead_of_kl(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -coefficient * kl, 0.0)
    rewards[range(len(scores)), mask.sum(1) - 1] = scores
    return rewards


def wrong_padding_priced(scores, kl, mask, coefficient):
    rewards = -coefficient * kl
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards


def wrong_no_coefficient(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -kl, 0.0)
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards


def wrong_first_token(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -coefficient * kl, 0.0)
    rewards[:, 0] += scores
    return rewards


def wrong_one_before(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -coefficient * kl, 0.0)
    for row, length in enumerate(mask.sum(1)):
        rewards[row, length - 2] += scores[row]
    return rewards


def wrong_all_rows(scores, kl, mask, coefficient):
    rewards, last = torch.where(mask, -coefficient * kl, 0.0), mask.sum(1) - 1
    rewards[:, last] = rewards[:, last] + scores[None]
    return rewards


def wrong_coefficient_on_score(scores, kl, mask, coefficient):
    rewards = torch.where(mask, -kl, 0.0)
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return coefficient * rewards


def wrong_no_negative(scores, kl, mask, coefficient):
    rewards = torch.where(mask & (kl > 0), -coefficient * kl, 0.0)
    rewards[range(len(scores)), mask.sum(1) - 1] += scores
    return rewards
