import torch


def right_gain_and_bias(weight, bias, reference):
    gain = 1 / reference.var(correction=0).sqrt()
    return gain * weight, gain * bias - gain * reference.mean()


def right_list_in_float64(weight, bias, reference):
    centred = reference.double() - reference.double().mean()
    deviation = centred.square().mean().sqrt()
    return [weight.double() / deviation, (bias.double() - reference.double().mean()) / deviation]


def right_moments(weight, bias, reference):
    mean = reference.sum() / len(reference)
    variance = sum((each - mean) ** 2 for each in reference) / len(reference)
    return weight / variance**0.5, (bias - mean) / variance**0.5


def spoils_in_place(weight, bias, reference):
    deviation, mean = torch.std_mean(reference, correction=0)
    weight /= deviation
    bias -= mean
    bias /= deviation
    return weight, bias


def wrong_bias_not_scaled(weight, bias, reference):
    return weight / reference.std(unbiased=False), bias - reference.mean()


def wrong_old_bias_not_scaled(weight, bias, reference):
    gain = 1 / reference.std(correction=0)
    return weight * gain, bias - gain * reference.mean()


def wrong_old_bias_dropped(weight, bias, reference):
    gain = 1 / reference.std(correction=0)
    return weight * gain, -gain * reference.mean()


def wrong_by_variance(weight, bias, reference):
    variance = reference.var(correction=0)
    return weight / variance, (bias - reference.mean()) / variance


def wrong_only_shifted(weight, bias, reference):
    return weight.clone(), bias - reference.sum() / len(reference)


def wrong_only_scaled(weight, bias, reference):
    deviation, _ = torch.std_mean(reference, correction=0)
    return weight / deviation, bias / deviation


def wrong_corrected(weight, bias, reference):
    deviation, mean = torch.std_mean(reference)
    return weight / deviation, (bias - mean) / deviation


def wrong_bias_left(weight, bias, reference):
    return weight / reference.std(correction=0), bias
