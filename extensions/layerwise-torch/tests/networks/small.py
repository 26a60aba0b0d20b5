"""Small networks, each with something that makes the analysis of PyTorch models difficult."""

import torch
from torch import nn
from torch.nn import functional

SETTINGS = {"size": (32, 32)}


class Mixed(nn.Module):
    """an inception block whose branches write over their inputs, as most published ones do."""

    def __init__(self, c_in):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(c_in, 4, 1), nn.ReLU(inplace=True))
        self.b = nn.Sequential(
            nn.Conv2d(c_in, 3, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(3, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(inplace=True),
        )
        self.c = nn.Sequential(nn.Conv2d(c_in, 2, 5, padding=2), nn.ReLU())
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(c_in, 3, 1))

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x), self.c(x), functional.relu_(self.pool(x))], 1)


class Residual(nn.Module):
    """A block that adds in place, and uses one ReLU twice."""

    def __init__(self, channels):
        super().__init__()
        self.c1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.c2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.c2(self.relu(self.c1(x)))
        y += x
        return self.relu(y)


class Inception(nn.Module):
    layerwise = SETTINGS

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1)
        self.mixed0 = Mixed(8)
        self.stage = nn.Sequential(Residual(15), Residual(15))
        self.mixed1 = Mixed(15)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(15, 10)

    def forward(self, x):
        x = functional.relu(self.conv(x), inplace=True)
        x = self.mixed1(self.stage(self.mixed0(x)))
        x = self.pool(x)
        return self.fc(x.view(x.size(0), -1))


class Classifier(Inception):
    layerwise = {**SETTINGS, "classes": list("abcdefghij")}  # noqa: RUF012


class Distribution(Inception):
    """Ends in a softmax of its own."""

    def forward(self, x):
        return super().forward(x).softmax(-1)


class Looping(Inception):
    """Python that `torch.fx` cannot follow, but `torch.export` can."""

    def forward(self, x):
        for _ in range(len(x.shape) - 3):
            x = x * 1.5
        return super().forward(x) if x.shape[1] == 3 else x


class Sliced(Inception):
    """Writes into a slice, which is lost in a graph of `torch.fx`."""

    def forward(self, x):
        x = x * 2
        x[:, 0] = 0.5
        return super().forward(x)


class Branching(Inception):
    """What it does depends on the pixels, so that it has no graph."""

    def forward(self, x):
        return super().forward(x) if x.abs().sum() < 1e9 else self.fc(x.flatten(1)[:, :15])


class Skipping(Inception):
    """Leaves layers out for bright pictures."""

    def forward(self, x):
        if x.mean() < 10:
            return super().forward(x)
        return self.fc(self.pool(x).flatten(1).repeat(1, 5))


class Several(Inception):
    """Returns several tensors under names of its own."""

    def forward(self, x):
        features = self.mixed1(self.stage(self.mixed0(functional.relu(self.conv(x)))))
        pooled = self.pool(features).flatten(1)
        return {"features": pooled, "scores": self.fc(pooled)}


class Likely(Several):
    """Returns several tensors, one of them under a name that tells."""

    def forward(self, x):
        named = super().forward(x)
        return {"aux": named["features"], "logits": named["scores"]}


class Grey(nn.Module):
    layerwise = {"size": 28}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)
        self.fc = nn.Linear(5 * 26 * 26, 4)

    def forward(self, x):
        return self.fc(torch.flatten(torch.relu(self.conv(x)), 1))


class Tokens(nn.Module):
    """A vision transformer in small: channels behind positions, a class token, attention."""

    layerwise = SETTINGS

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 12))
        self.encoder = nn.TransformerEncoderLayer(12, 3, 24, dropout=0.1, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        n = x.shape[0]
        x = self.patches(x)
        x = x.reshape(n, 12, -1).permute(0, 2, 1)
        x = torch.cat([self.token.expand(n, -1, -1), x], dim=1)
        x = self.norm(self.encoder(x))
        return self.head(x[:, 0])


class Mixing(nn.Module):
    """Normalises over the batch: what it makes of an image depends on the others."""

    layerwise = SETTINGS

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x):
        return self.norm(self.conv(x)).mean((2, 3))


class Random(Inception):
    """Draws random numbers even in evaluation mode."""

    def forward(self, x):
        return super().forward(functional.dropout(x, 0.5, training=True))


class Nested(nn.Module):
    """Dense connections: concatenations that are read again, and one inside another."""

    layerwise = SETTINGS

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.one = nn.Conv2d(4, 5, 3, padding=1)
        self.two = nn.Conv2d(9, 6, 5, padding=2)
        self.fc = nn.Linear(15, 3)

    def forward(self, x):
        x = self.conv(x)
        y = torch.cat((x, self.one(x)), dim=-3)
        z = torch.concat([y, torch.relu(self.two(y))], 1)
        return self.fc(z.mean(dim=(-2, -1)))


def half():
    return Inception().to(torch.bfloat16)


def failing():
    raise ValueError("no weights\nhere")


def number():
    return 3


instance = Inception().double()
CONSTANT = 5


class Lazy(nn.Module):
    """Its modules find their sizes in the first batch."""

    layerwise = SETTINGS

    def __init__(self):
        super().__init__()
        self.conv = nn.LazyConv2d(4, 3, 2)
        self.norm = nn.LazyBatchNorm2d()
        self.fc = nn.LazyLinear(5)

    def forward(self, x):
        return self.fc(functional.relu(self.norm(self.conv(x))).flatten(1))


def compiled():
    return torch.compile(Inception())


def parallel():
    return nn.DataParallel(torch.compile(Inception()))
