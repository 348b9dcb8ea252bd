"""Muon: steps of one size in every direction, for the right parameters, resumable."""

import pytest
import torch

from rlhf_lab.models.loading import new_language_model, tiny_config
from rlhf_lab.training.muon import make_muon, orthogonalise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (8, 8)])
def test_orthogonalised_matrices_keep_their_directions_and_lose_their_sizes(shape):
    matrices = torch.randn(3, *shape, generator=seeded())
    u, s, vt = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonalise(matrices)
    sizes = torch.linalg.svdvals(result)
    assert result.shape == matrices.shape
    assert (sizes.amax(1) < 1.3).all() and (sizes.amax(1) / sizes.amin(1) < (s.amax(1) / s.amin(1))).all()
    cosine = torch.nn.functional.cosine_similarity(result.flatten(1), (u @ vt).flatten(1))
    assert (cosine > 0.95).all()


def test_each_matrix_of_a_batch_is_treated_alone():
    matrices = torch.randn(3, 6, 10, generator=seeded())
    assert torch.allclose(orthogonalise(matrices)[1], orthogonalise(matrices[1:2])[0], atol=1e-5)


def test_only_the_matrices_inside_the_blocks_are_muons(model, llama):
    for whole in (model, llama):
        groups = make_muon(whole, weight_decay=0.1).param_groups
        names = {id(p): name for name, p in whole.named_parameters()}
        muon = [names[id(p)] for group in groups if group["muon"] for p in group["params"]]
        rest = [names[id(p)] for group in groups if not group["muon"] for p in group["params"]]
        assert muon and all(".h." in name or ".layers." in name for name in muon)
        assert any("embed" in name or "wte" in name for name in rest)
        assert sorted(muon + rest) == sorted(names.values())
        decays = {group["weight_decay"] for group in groups for p in group["params"] if p.ndim < 2}
        assert decays == {0.0}


def test_a_step_has_the_size_of_adamws(tokenizer):
    model = new_language_model(tiny_config(tokenizer, layers=1, width=32, heads=2), seed=3)
    optimizer = make_muon(model)
    weight = model.base_model.h[0].mlp.c_fc.weight
    before = weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=seeded(1)) * 1e-4  # its size does not matter
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    optimizer.step()
    step = (weight.detach() - before).square().mean().sqrt().item()
    assert 0.1 * 0.01 < step < 0.3 * 0.01
