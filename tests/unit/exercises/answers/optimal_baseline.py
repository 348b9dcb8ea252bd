import torch


def right_norms(rewards, scores):
    weights = torch.linalg.vector_norm(scores, dim=1) ** 2
    return torch.dot(weights / weights.sum(), rewards)


def right_loops(rewards, scores):
    above = below = torch.zeros((), dtype=rewards.dtype)
    for reward, score in zip(rewards, scores, strict=True):
        above = above + reward * (score @ score)
        below = below + score @ score
    return above / below


def right_means_in_float64(rewards, scores):
    lengths = scores.double().square().sum(1)
    return (lengths * rewards.double()).mean() / lengths.mean()


def right_einsum(rewards, scores):
    return torch.einsum("n,np,np->", rewards, scores, scores) / torch.einsum("np,np->", scores, scores)


def right_bottom_of_the_parabola(rewards, scores):
    def noise(b):
        return (((rewards - b)[:, None] * scores) ** 2).double().sum()

    left, middle, right = noise(-1.0), noise(0.0), noise(1.0)
    return (left - right) / (2 * (left - 2 * middle + right))


def _weighted(weights, rewards):
    return torch.dot(weights, rewards) / weights.sum()


def wrong_plain_mean(rewards, scores):
    return rewards.sum() / len(rewards)


def wrong_not_squared(rewards, scores):
    return _weighted((scores**2).sum(1).sqrt(), rewards)


def wrong_not_normalised(rewards, scores):
    return torch.einsum("n,np,np->", rewards, scores, scores) / len(rewards)


def wrong_squared_after_the_sum(rewards, scores):
    return _weighted(torch.stack([row.sum() ** 2 for row in scores]), rewards)


def wrong_one_for_each_parameter(rewards, scores):
    return torch.stack([_weighted(column**2, rewards) for column in scores.T])


def wrong_wrong_sign(rewards, scores):
    return _weighted((scores**2).sum(1), -rewards)
