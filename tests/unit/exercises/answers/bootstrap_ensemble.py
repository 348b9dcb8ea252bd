import torch
import torch.nn.functional as F


def _loss(x, weight, decay):
    return F.softplus(-x @ weight).mean() + 0.5 * decay * (weight**2).sum()


def _by_autograd(x, steps, learning_rate, decay):
    weight = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=learning_rate)
    for _ in range(steps):
        optimizer.zero_grad()
        _loss(x, weight, decay).backward()
        optimizer.step()
    return weight.detach()


def _draw(x, generator):
    return x[torch.randint(0, len(x), (len(x),), generator=generator)]


def right_by_autograd(differences, members, steps, learning_rate, decay, generator):
    fitted = [_by_autograd(_draw(differences, generator), steps, learning_rate, decay) for _ in range(members)]
    return torch.stack(fitted).T


def right_all_members_at_once(differences, members, steps, learning_rate, decay, generator):
    count, features = differences.shape
    x = differences[torch.randint(count, (members, count), generator=generator)]  # (K, N, F)
    weight = torch.zeros(members, features, dtype=x.dtype)
    for _ in range(steps):
        missing = 1 - torch.sigmoid(torch.einsum("knf,kf->kn", x, weight))
        weight = (1 - learning_rate * decay) * weight + learning_rate * torch.einsum("knf,kn->kf", x, missing) / count
    return weight.T


def right_by_weight_decay_and_counts(differences, members, steps, learning_rate, decay, generator):
    columns, count = [], len(differences)
    for _ in range(members):
        times = torch.bincount(torch.randint(count, (count,), generator=generator), minlength=count)
        weight = torch.nn.Parameter(torch.zeros(differences.shape[1], dtype=differences.dtype))
        optimizer = torch.optim.SGD([weight], lr=learning_rate, weight_decay=decay)
        for _ in range(steps):
            optimizer.zero_grad()
            (-(F.logsigmoid(differences @ weight) * times).sum() / count).backward()
            optimizer.step()
        columns.append(weight.detach())
    return torch.stack(columns, dim=-1)


def _stack(fit, differences, members, generator):
    return torch.stack([fit(_draw(differences, generator)) for _ in range(members)], 1)


def wrong_all_answers(differences, members, steps, learning_rate, decay, generator):
    count, fitted = len(differences), []
    for _ in range(members):
        rows = torch.randperm(count, generator=generator)
        fitted.append(_by_autograd(differences[rows], steps, learning_rate, decay))
    return torch.stack(fitted, 1)


def wrong_one_draw(differences, members, steps, learning_rate, decay, generator):
    x = _draw(differences, generator)
    return torch.stack([_by_autograd(x, steps, learning_rate, decay) for _ in range(members)], 1)


def wrong_drawn_at_every_step(differences, members, steps, learning_rate, decay, generator):
    fitted = []
    for _ in range(members):
        weight = torch.zeros(differences.shape[1], dtype=differences.dtype, requires_grad=True)
        for _ in range(steps):
            (slope,) = torch.autograd.grad(_loss(_draw(differences, generator), weight, decay), weight)
            weight = (weight - learning_rate * slope).detach().requires_grad_()
        fitted.append(weight.detach())
    return torch.stack(fitted, 1)


def wrong_goes_on(differences, members, steps, learning_rate, decay, generator):
    weight = torch.zeros(differences.shape[1], dtype=differences.dtype, requires_grad=True)
    optimizer, fitted = torch.optim.SGD([weight], lr=learning_rate), []
    for _ in range(members):
        x = _draw(differences, generator)
        for _ in range(steps):
            optimizer.zero_grad()
            _loss(x, weight, decay).backward()
            optimizer.step()
        fitted.append(weight.detach().clone())
    return torch.stack(fitted, 1)


def wrong_counted_once(differences, members, steps, learning_rate, decay, generator):
    def fit_once(rows):
        return _by_autograd(differences[sorted(set(rows.tolist()))], steps, learning_rate, decay)

    count = len(differences)
    return torch.stack([fit_once(torch.randint(count, (count,), generator=generator)) for _ in range(members)], 1)


def wrong_uphill(differences, members, steps, learning_rate, decay, generator):
    return _stack(lambda x: _by_hand(x, steps, learning_rate, decay, -1), differences, members, generator)


def _by_hand(x, steps, learning_rate, decay, sign=1):
    weight = torch.zeros(x.shape[1], dtype=x.dtype)
    for _ in range(steps):
        slope = decay * weight - (x * torch.sigmoid(-x @ weight)[:, None]).mean(0)
        weight = weight - sign * learning_rate * slope
    return weight


def wrong_no_decay(differences, members, steps, learning_rate, decay, generator):
    return _stack(lambda x: _by_autograd(x, steps, learning_rate, 0.0), differences, members, generator)


def wrong_decay_upside_down(differences, members, steps, learning_rate, decay, generator):
    return _stack(lambda x: _by_autograd(x, steps, learning_rate, -decay), differences, members, generator)


def wrong_summed(differences, members, steps, learning_rate, decay, generator):
    def fit(x):
        weight = torch.zeros(x.shape[1], dtype=x.dtype)
        for _ in range(steps):
            weight = weight - learning_rate * (decay * weight - (x * torch.sigmoid(-x @ weight)[:, None]).sum(0))
        return weight

    return _stack(fit, differences, members, generator)


def wrong_not_zeroed(differences, members, steps, learning_rate, decay, generator):
    def fit(x):
        weight = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
        for _ in range(steps):
            _loss(x, weight, decay).backward()
            with torch.no_grad():
                weight -= learning_rate * weight.grad
        return weight.detach()

    return _stack(fit, differences, members, generator)


def wrong_averaged(differences, members, steps, learning_rate, decay, generator):
    return right_by_autograd(differences, members, steps, learning_rate, decay, generator).mean(1)


def wrong_members_as_rows(differences, members, steps, learning_rate, decay, generator):
    return right_by_autograd(differences, members, steps, learning_rate, decay, generator).T


def wrong_decay_doubled(differences, members, steps, learning_rate, decay, generator):
    return _stack(lambda x: _by_autograd(x, steps, learning_rate, 2 * decay), differences, members, generator)
