"""GPT-2's layers run by hand on the reserved keys and values, for a fraction of the overhead.

With a small model most of the time of a token goes into what surrounds the arithmetic: masks that are built and
not needed, checks, and an attention kernel that is made for many queries and gets one. A `Decoder` does the same
sums in a few lines, and lays out the weights once for all the tokens to come (`linear_maps.py`). It calls the model's
own linear maps and layer norms, so adapters (LoRA) and hooks on them work as ever. Other architectures go through the
model's own forward pass.
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
    """GPT-2's trunk, quickest for one token in each of about `rows` rows; to be used until the weights change."""

    def __init__(self, trunk: GPT2Model, rows: int):
        self.trunk = trunk
        self.maps = [
            (
                laid_out(block.attn.c_attn, rows),
                laid_out(block.attn.c_proj, rows),
                laid_out(block.mlp.c_fc, rows, block.mlp.act),
                laid_out(block.mlp.c_proj, rows),
            )
            for block in trunk.h
        ]

    def last_hidden(self, tokens: Tensor, positions: Tensor, layers: list, bias: Tensor) -> Tensor:
        """Hidden states (b, d) after the last of n more tokens (b, n) at positions (b, n); what the trunk would give.

        layers: the reserved keys and values of each layer, see `sampling`; the new tokens' are written to them.
        bias: (b, 1, n, L) what is added to the attention scores of all L tokens so far.
        """
        trunk = self.trunk
        (b, n), heads = tokens.shape, trunk.config.n_head
        x = (trunk.wte(tokens) + trunk.wpe(positions)).flatten(0, 1)  # (b n, d)
        d = x.shape[1]
        for block, layer, (c_attn, c_proj, mlp_up, mlp_down) in zip(trunk.h, layers, self.maps, strict=True):
            parts = c_attn(block.ln_1(x)).split(d, dim=1)
            query, key, value = (part.view(b, n, heads, d // heads).transpose(1, 2) for part in parts)
            keys, values = layer.update(key, value)  # (b, heads, L, d / heads) each
            if n > 1 and block is trunk.h[-1]:  # from here on, only the last token's state is asked for
                x, query, bias = x.view(b, n, d)[:, -1], query[:, :, -1:], bias[:, :, -1:]
            attended = _attend(query, keys, values, bias, block.attn.scaling)
            x = x + c_proj(attended.transpose(1, 2).reshape(x.shape))
            x = x + mlp_down(mlp_up(block.ln_2(x)))
        return trunk.ln_f(x)


def _attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Attention (b, heads, n, w) of n queries a head. On a CPU two products beat the fused kernel where n is 1."""
    if query.device.type != "cpu" or query.shape[2] > 1:
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=bias, scale=scale)
    scores = torch.matmul(query * scale, keys.transpose(2, 3)) + bias  # (b, heads, 1, L)
    return torch.matmul(scores.softmax(-1), values)
