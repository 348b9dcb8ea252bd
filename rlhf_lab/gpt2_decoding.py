"""One more token for GPT-2: the layers run by hand on the reserved keys and values, for a fraction of the overhead.

With a small model most of the time of a token goes into what surrounds the arithmetic: masks that are built and
not needed, checks, and an attention kernel that is made for many queries and gets one. `next_hidden` does the
same sums in a few lines. It calls the model's own linear maps and layer norms, so adapters (LoRA) and hooks on
them work as ever. Other architectures, and prompts, go through the model's own forward pass.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2Model


def can_decode(trunk: nn.Module) -> bool:
    """Whether `next_hidden` knows this model: GPT-2's own layers, and nothing that reads another sequence too."""
    return type(trunk) is GPT2Model and not trunk.config.add_cross_attention


def next_hidden(trunk: GPT2Model, tokens: Tensor, positions: Tensor, layers: list, bias: Tensor | None) -> Tensor:
    """Hidden states (B, d) after one more token (B,) at position (B,) of each row; what `trunk` itself would give.

    layers: the reserved keys and values of each layer, see `sampling`; the new token's are written to them.
    bias: (B, 1, 1, L) what is added to the attention scores of all L tokens so far; None where none is padding.
    """
    x = trunk.wte(tokens) + trunk.wpe(positions)  # (B, d)
    (B, d), heads = x.shape, trunk.config.n_head
    for block, layer in zip(trunk.h, layers, strict=True):
        query, key, value = (
            part.view(B, heads, 1, d // heads) for part in block.attn.c_attn(block.ln_1(x)).split(d, dim=1)
        )
        keys, values = layer.update(key, value)  # (B, heads, L, d / heads) each
        attended = _attend(query, keys, values, bias, block.attn.scaling)
        x = x + block.attn.c_proj(attended.reshape(B, d))
        x = x + block.mlp(block.ln_2(x))
    return trunk.ln_f(x)


def _attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Attention (B, heads, 1, w) of one query a head. On a CPU two products of matrices beat the fused kernel."""
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=scale)
    scores = torch.matmul(query * scale, keys.transpose(2, 3))  # (B, heads, 1, L)
    if bias is not None:
        scores += bias
    return torch.matmul(scores.softmax(-1), values)
