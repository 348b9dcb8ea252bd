import torch


def right_table(first, second, labels):
    table = torch.zeros(labels, labels, dtype=torch.float64)
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        table[a, b] += 1 / len(first)
    chance = table.sum(0) @ table.sum(1)
    return (table.trace() - chance) / (1 - chance)


def right_einsum(first, second, labels):
    a, b = (torch.eye(labels)[x] for x in (first, second))
    n = len(a)
    agreed, chance = torch.einsum("nk,nk->", a, b) / n, torch.einsum("nk,mk->", a, b) / n**2
    return (agreed - chance) / (1 - chance)


def right_disagreements(first, second, labels):
    chance = (first[:, None] != second[None, :]).double().mean()
    return 1 - (first != second).double().mean() / chance


def right_bincount(first, second, labels):
    counts = torch.bincount(first, minlength=labels) * torch.bincount(second, minlength=labels)
    chance = counts.sum() / len(first) ** 2
    return ((first == second).sum() / len(first) - chance) / (1 - chance)


def wrong_agreement_only(first, second, labels):
    return (first == second).sum() / len(first)


def wrong_uniform_chance(first, second, labels):
    agreed = (first == second).double().mean()
    return (agreed * labels - 1) / (labels - 1)


def wrong_pooled(first, second, labels):
    shares = torch.bincount(torch.cat([first, second]), minlength=labels) / (2 * len(first))
    chance = (shares**2).sum()
    return ((first == second).float().mean() - chance) / (1 - chance)


def wrong_not_scaled(first, second, labels):
    chance = (first[:, None] == second[None, :]).float().mean()
    return (first == second).float().mean() - chance


def wrong_one_rater(first, second, labels):
    chance = (first[:, None] == first[None, :]).float().mean()
    return ((first == second).float().mean() - chance) / (1 - chance)


def wrong_divided_by_chance(first, second, labels):
    chance = (first[:, None] == second[None, :]).float().mean()
    return (first == second).float().mean() / chance - 1


def wrong_two_labels_only(first, second, labels):
    a, b = first.double().mean(), second.double().mean()
    chance = 1 - a - b + 2 * a * b
    return ((first == second).double().mean() - chance) / (1 - chance)


def wrong_summed_first(first, second, labels):
    ones = torch.eye(labels)
    chance = ones[first].mean(0).sum() * ones[second].mean(0).sum()
    return ((first == second).float().mean() - chance) / (1 - chance)
