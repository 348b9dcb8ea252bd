"""One more token for GPT-2: the layers run by hand on the reserved keys and values, for a fraction of the overhead.

With a small model most of the time of a token goes into what surrounds the arithmetic: masks that are built and
not needed, checks, and an attention kernel that is made for many queries and gets one. A `Decoder` does the same
sums in a few lines, and lays out the weights once for all the tokens to come (`linear_maps.py`). It calls the model's
own linear maps and layer norms, so adapters (LoRA) and hooks on them work as ever. Other architectures, and prompts,
go through the model's own forward pass.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2Model

from rlhf_lab.linear_maps import laid_out


def can_decode(trunk: nn.Module) -> bool:
    """Whether `Decoder` knows this model: GPT-2's own layers, and nothing that reads another sequence too."""
    return type(trunk) is GPT2Model and not trunk.config.add_cross_attention


class Decoder:
    """GPT-2's trunk, one token a row at a time, for about `rows` rows; to be used until the weights change."""

    def __init__(self, trunk: GPT2Model, rows: int):
        self.trunk = trunk
        self.maps = [
            [laid_out(m, rows) for m in (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj)]
            for block in trunk.h
        ]

    def next_hidden(self, tokens: Tensor, positions: Tensor, layers: list, bias: Tensor | None) -> Tensor:
        """Hidden states (b, d) after one more token (b,) at position (b,) of each row; what the trunk would give.

        layers: the reserved keys and values of each layer, see `sampling`; the new token's are written to them.
        bias: (b, 1, 1, L) what is added to the attention scores of all L tokens so far; None where none is padding.
        """
        trunk = self.trunk
        x = trunk.wte(tokens) + trunk.wpe(positions)  # (b, d)
        (b, d), heads = x.shape, trunk.config.n_head
        for block, layer, (c_attn, c_proj, mlp_up, mlp_down) in zip(trunk.h, layers, self.maps, strict=True):
            query, key, value = (part.view(b, heads, 1, d // heads) for part in c_attn(block.ln_1(x)).split(d, dim=1))
            keys, values = layer.update(key, value)  # (b, heads, L, d / heads) each
            attended = _attend(query, keys, values, bias, block.attn.scaling)
            x = x + c_proj(attended.reshape(b, d))
            x = x + mlp_down(block.mlp.act(mlp_up(block.ln_2(x))))
        return trunk.ln_f(x)


def _attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    """Attention (b, heads, 1, w) of one query a head. On a CPU two products of matrices beat the fused kernel."""
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=scale)
    scores = torch.matmul(query * scale, keys.transpose(2, 3))  # (b, heads, 1, L)
    if bias is not None:
        scores += bias
    return torch.matmul(scores.softmax(-1), values)
