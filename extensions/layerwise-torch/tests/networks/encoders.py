"""Networks that take something else than pictures, and give more than one tensor."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn


class TwoInputs(nn.Module):
    """A series of any length and a few whole numbers; two heads in a dictionary."""

    layerwise = {"inputs": {"series": ("float32", (None, 3)), "facts": ("int64", (4,))}}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.steps = nn.Linear(3, 5)
        self.known = nn.Embedding(10, 2)
        self.side = nn.Linear(5, 3)
        self.main = nn.Linear(13, 3)

    def forward(self, series, facts):
        steps = torch.tanh(self.steps(series))
        read = steps.mean(1)
        joined = torch.cat([read, self.known(facts).flatten(1)], 1)
        return {"side": self.side(read), "logits": self.main(joined)}


class Vector(nn.Module):
    """A vector in, a tuple out, by position: its parameter has another name than its input."""

    layerwise = {"inputs": {"v": ("float32", (6,))}}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        hidden = torch.relu(self.hidden(x))
        return self.out(hidden), hidden


class Front(nn.Module):
    """Twelve channels in front: no picture that anybody could look at."""

    layerwise = {"inputs": {"x": ("float32", (12, 5, 7))}}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(12, 3, 3)
        self.fc = nn.Linear(45, 2)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(1))


@dataclass
class EncoderOutput:
    """What an encoder gives, in the manner of HuggingFace's."""

    last_hidden_state: Any
    pooler_output: Any = None
    hidden_states: Any = None
    attentions: Any = None


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, state, mask):
        scores = self.query(state) @ self.key(state).transpose(1, 2) / state.shape[-1] ** 0.5
        scores = scores.masked_fill(mask[:, None, :] == 0, -1e4)
        return scores.softmax(-1) @ self.value(state)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, state, mask):
        state = self.norm(state + self.attention(state, mask))
        return state + self.narrow(nn.functional.gelu(self.wide(state)))


class Encoder(nn.Module):
    """A small encoder built from a configuration."""

    def __init__(self, config=None):
        super().__init__()
        self.config = config or SimpleNamespace(
            vocab_size=40, hidden_size=8, num_hidden_layers=2, max_position_embeddings=12
        )
        width = self.config.hidden_size
        self.words = nn.Embedding(self.config.vocab_size, width)
        self.places = nn.Embedding(self.config.max_position_embeddings, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(self.config.num_hidden_layers))
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids, attention_mask=None, output_attentions=None):
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        state = self.words(input_ids) + self.places.weight[: input_ids.shape[1]]
        states = [state]
        for block in self.blocks:
            state = block(state, attention_mask)
            states.append(state)
        return EncoderOutput(state, torch.tanh(self.pooler(state[:, 0])), tuple(states))
