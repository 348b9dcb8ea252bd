import torch


def right_sums(x, mask):
    n = mask.sum()
    x = torch.where(mask, x, torch.zeros_like(x))
    mean = x.sum() / n
    centred = (x - mean) * mask
    return centred * torch.rsqrt((centred**2).sum() / n + 1e-8)


def right_two_moments_in_float64(x, mask):
    real = x[mask].double()
    variance = ((real - real.mean()) ** 2).mean()
    out = torch.zeros(x.shape, dtype=torch.float64)
    out[mask] = (real - real.mean()) / (variance + 1e-8) ** 0.5
    return out


def right_loops(x, mask):
    values = [float(v) for v, real in zip(x.flatten(), mask.flatten(), strict=True) if real]
    mean = sum(values) / len(values)
    scale = (sum((v - mean) ** 2 for v in values) / len(values) + 1e-8) ** -0.5
    flat = zip(x.flatten().tolist(), mask.flatten().tolist(), strict=True)
    return torch.tensor([(v - mean) * scale if real else 0.0 for v, real in flat]).reshape(x.shape)


def spoils_in_place(x, mask):
    x -= x[mask].mean()
    x /= torch.sqrt(x[mask].square().mean() + 1e-8)
    x[~mask] = 0
    return x


def wrong_padding_counted(x, mask):
    white = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-8)
    return torch.where(mask, white, torch.zeros_like(x))


def wrong_zeros_counted(x, mask):
    x = torch.where(mask, x, torch.zeros_like(x))
    white = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-8)
    return torch.where(mask, white, torch.zeros_like(x))


def wrong_padding_left(x, mask):
    real = x[mask]
    return (x - real.mean()) / torch.sqrt(((real - real.mean()) ** 2).mean() + 1e-8)


def wrong_only_shifted(x, mask):
    return torch.where(mask, x - x[mask].mean(), torch.zeros_like(x))


def wrong_unbiased(x, mask):
    out = torch.zeros_like(x)
    out[mask] = (x[mask] - x[mask].mean()) / torch.sqrt(torch.var(x[mask]) + 1e-8)
    return out


def wrong_by_variance(x, mask):
    out = torch.zeros_like(x)
    out[mask] = (x[mask] - x[mask].mean()) / (x[mask].var(unbiased=False) + 1e-8)
    return out


def wrong_zeros_in_the_variance(x, mask):
    x, n = torch.where(mask, x, 0.0), mask.sum()
    centred = x - x.sum() / n
    return torch.where(mask, centred / ((centred**2).sum() / n + 1e-8).sqrt(), 0.0)
