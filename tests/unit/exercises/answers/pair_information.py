import torch


def right_einsum(differences, weight, covariance):
    p = torch.sigmoid(torch.einsum("nf,f->n", differences, weight))
    return torch.einsum("n,nf,fg,ng->n", p - p**2, differences, covariance, differences)


def right_loop(differences, weight, covariance):
    found = []
    for x in differences:
        logit = (x * weight).sum()
        found.append(torch.sigmoid(logit) * torch.sigmoid(-logit) * (x @ covariance @ x))
    return torch.stack(found)


def right_diagonal_of_all(differences, weight, covariance):
    p = 1 / (1 + torch.exp(-(differences @ weight)))
    return (differences @ covariance @ differences.T).diagonal() * p * (1 - p)


def right_float64(differences, weight, covariance):
    x, w, s = differences.double(), weight.double(), covariance.double()
    p = torch.sigmoid(x @ w)
    return (x * (s @ x.T).T).sum(-1) * (0.25 - (p - 0.5) ** 2)


def _quadratic(x, s):
    return torch.stack([row @ s @ row for row in x])


def wrong_spread_only(differences, weight, covariance):
    return _quadratic(differences, covariance)


def wrong_uncertainty_only(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return p - p**2


def wrong_p_only(differences, weight, covariance):
    return _quadratic(differences, covariance) * torch.sigmoid(differences @ weight)


def wrong_diagonal(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return (p - p**2) * _quadratic(differences, covariance.diagonal().diag())


def wrong_no_covariance(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return (p - p**2) * differences.norm(dim=1) ** 2


def wrong_root(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return (p - p**2) * _quadratic(differences, covariance) ** 0.5


def wrong_precision(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return (p - p**2) * (differences * torch.linalg.solve(covariance, differences.T).T).sum(1)


def wrong_one_more(differences, weight, covariance):
    p = torch.sigmoid(differences @ weight)
    return (p - p**2) * _quadratic(differences, covariance) + 1
