import torch


def right_by_hand(scores, caution):
    mean = scores.sum(1) / scores.shape[1]
    apart = ((scores - mean[:, None]) ** 2).sum(1) / (scores.shape[1] - 1)
    return mean - caution * apart.sqrt()


def right_std_mean(scores, caution):
    deviation, mean = torch.std_mean(scores, dim=1)
    return mean - deviation * caution


def right_rows(scores, caution):
    return torch.stack([row.mean() - caution * row.std() for row in scores])


def right_variance_root(scores, caution):
    return scores.T.mean(0) - caution * scores.T.var(0, unbiased=True) ** 0.5


def wrong_bold(scores, caution):
    deviation, mean = torch.std_mean(scores, dim=1)
    return mean + caution * deviation


def wrong_over_texts(scores, caution):
    deviation, mean = torch.std_mean(scores, dim=0)
    return mean - caution * deviation


def wrong_variance(scores, caution):
    apart = ((scores - scores.mean(1, keepdim=True)) ** 2).sum(1) / (scores.shape[1] - 1)
    return scores.mean(1) - caution * apart


def wrong_population(scores, caution):
    return scores.mean(1) - caution * scores.std(1, unbiased=False)


def wrong_worst(scores, caution):
    return scores.amin(1)


def wrong_caution_left_out(scores, caution):
    deviation, mean = torch.std_mean(scores, dim=1)
    return mean - deviation


def wrong_divided(scores, caution):
    return scores.mean(1) / scores.std(1) / caution


def wrong_one_deviation(scores, caution):
    return scores.mean(1) - caution * scores.flatten().std()
