"""The workloads of run.sh by PyTorch; peer.py says how it is asked.

    echo "w1 1.0 foreach" | OMP_NUM_THREADS=1 python3 bench/torch_bench.py

Flags: foreach (multi-tensor optimizers), channels-last; of inference: trace, optimized (traced, frozen
and optimized). A batch is made once and is in memory. A step clears the gradients, and computes
the forward pass, the loss, the backward pass and the update. run.sh sets the environments in which torch is fastest.
"""
import peer
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(peer.THREADS)
torch.set_flush_denormal(True)


def training(model, optimizer, x, y, loss=F.cross_entropy):
    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()
    return step


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                         nn.Linear(256, 10))


def w1(foreach, _):
    model = mlp()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, **foreach)
    return training(model, adam, torch.rand(128, 784), torch.randint(10, (128,)))


def w2(foreach, _):
    model = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    sgd = torch.optim.SGD(model.parameters(), lr=3, **foreach)
    y = F.one_hot(torch.randint(10, (10,)), 10).float()
    return training(model, sgd, torch.rand(10, 784), y, lambda a, y: ((a - y) ** 2).sum() / 20)


def lenet():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


def w3(foreach, layout):
    model = lenet().to(**layout)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **foreach)
    return training(model, sgd, torch.rand(64, 1, 28, 28).to(**layout), torch.randint(10, (64,)))


def pair(c, filters, stride=1):
    """Two 3x3 convolutions with their norms; the last ReLU is the caller's."""
    return nn.Sequential(nn.Conv2d(c, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters),
                         nn.ReLU(), nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
                         nn.BatchNorm2d(filters))


class Residual(nn.Module):
    def __init__(self, c, filters, stride):
        super().__init__()
        self.inside, self.stride = pair(c, filters, stride), stride
        self.around = (0, 0, 0, 0) + 2 * ((filters - c) // 2,)  # zero channels, before and behind

    def forward(self, x):
        y = self.inside(x)
        if self.stride > 1:
            x = F.pad(x[:, :, ::self.stride, ::self.stride], self.around)
        return F.relu(x + y)


def w4(foreach, layout):
    parts, c = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for filters in (16, 32, 64):
        for _ in range(3):
            parts.append(Residual(c, filters, 1 if c == filters else 2))
            c = filters
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    model = nn.Sequential(*parts).to(**layout)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, **foreach)
    return training(model, sgd, torch.randn(128, 3, 32, 32).to(**layout), torch.randint(10, (128,)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = (1, 16), (16, 32), (32, 64), (64, 32), (32, 16)
        self.pairs = nn.ModuleList(nn.Sequential(pair(c, filters), nn.ReLU())
                                   for c, filters in sizes)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, 2) for c in (32, 16))
        self.head = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        a = self.pairs[0](x)
        b = self.pairs[1](F.max_pool2d(a, 2))
        c = self.pairs[2](F.max_pool2d(b, 2))
        y = self.pairs[3](torch.cat([self.up[0](c), b], 1))
        return self.head(self.pairs[4](torch.cat([self.up[1](y), a], 1)))


def w7(foreach, layout):
    model = UNet().to(**layout)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, **foreach)
    x, y = torch.rand(8, 1, 128, 128).to(**layout), (torch.rand(8, 1, 128, 128) < 0.5).float()
    return training(model, adam, x, y, F.binary_cross_entropy_with_logits)


class CharLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(65, 128, num_layers=2), nn.Linear(128, 65)

    def forward(self, x, state):
        y, state = self.lstm(x, state)
        return self.head(y), state


def w5(foreach, _):
    model = CharLSTM()
    params = list(model.parameters())
    rmsprop = torch.optim.RMSprop(params, lr=2e-3, alpha=0.95, eps=1e-8, **foreach)
    x = F.one_hot(torch.randint(65, (50, 50)), 65).float()
    y = torch.randint(65, (2500,))
    state = [torch.zeros(2, 50, 128), torch.zeros(2, 50, 128)]

    def step():
        rmsprop.zero_grad(set_to_none=True)
        z, after = model(x, tuple(state))
        F.cross_entropy(z.view(-1, 65), y).backward()
        nn.utils.clip_grad_value_(params, 5)
        rmsprop.step()
        state[:] = [s.detach() for s in after]
    return step


def w8(foreach, _):
    model = nn.Linear(64, 10)
    for p in model.parameters():
        nn.init.zeros_(p)
    x, y = (torch.tensor(part) for part in peer.digits())
    return training(model, torch.optim.SGD(model.parameters(), lr=0.5, **foreach), x, y)


def both_ways(forward, inputs, g):
    """y, and the gradients of sum(y * g) with respect to the inputs."""
    def step():
        y = forward()
        return y, torch.autograd.grad(y, inputs, g)
    return step


def chain(p):
    x, g = torch.randn(4096, 768, requires_grad=True), torch.randn(4096, 768)
    norm = nn.LayerNorm(768)

    def forward():
        y = F.gelu(norm(x))
        return x + (F.dropout(y, p) if p else y)
    return both_ways(forward, [x, norm.weight, norm.bias], g)


def block(_, layout):
    x, g = (torch.randn(128, 16, 32, 32).to(**layout) for _ in "xg")
    x.requires_grad_()
    conv = [nn.Conv2d(16, 16, 3, padding=1, bias=False).to(**layout) for _ in "12"]
    norm = [nn.BatchNorm2d(16, track_running_stats=False) for _ in "12"]

    def forward():
        y = norm[1](conv[1](F.relu(norm[0](conv[0](x)))))
        return F.relu(y + x)
    return both_ways(forward, [x] + [p for m in conv + norm for p in m.parameters()], g)


class Attention(nn.Module):  # causal, as nanoGPT without biases
    def __init__(self, width, heads, block):
        super().__init__()
        self.heads, self.width = heads, width
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.register_buffer("unseen", torch.ones(block, block, dtype=torch.bool).triu(1))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (z.view(b, t, self.heads, c // self.heads).transpose(1, 2)
                   for z in self.qkv(x).split(c, 2))
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            z = q @ k.transpose(2, 3) / (c // self.heads) ** 0.5
            y = F.softmax(z.masked_fill(self.unseen, float("-inf")), -1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight)


class GPT(nn.Module):
    def __init__(self, layers, heads, width, block):
        super().__init__()
        self.table, self.places = nn.Embedding(65, width), nn.Embedding(block, width)
        self.layers = nn.ModuleList(nn.ModuleList([
            Norm(width), Attention(width, heads, block), Norm(width), nn.Sequential(
                nn.Linear(width, 4 * width, bias=False), nn.GELU(),
                nn.Linear(4 * width, width, bias=False))]) for _ in range(layers))
        self.norm = Norm(width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, x):
        x = self.table(x) + self.places.weight
        for norm1, attend, norm2, think in self.layers:
            x = x + attend(norm1(x))
            x = x + think(norm2(x))
        return F.linear(self.norm(x), self.table.weight)


def gpt(foreach, layers, heads, width, block, rows):
    model = GPT(layers, heads, width, block)
    params = list(model.parameters())
    adamw = torch.optim.AdamW([{"params": [p for p in params if p.dim() > 1], "weight_decay": 0.1},
                               {"params": [p for p in params if p.dim() < 2], "weight_decay": 0}],
                              lr=1e-3, betas=(0.9, 0.99), **foreach)
    x, y = torch.randint(65, (rows, block)), torch.randint(65, (rows * block,))

    def step():
        adamw.zero_grad(set_to_none=True)
        F.cross_entropy(model(x).view(-1, 65), y).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        adamw.step()
    return step


guard = torch.inference_mode()


def inference(model, x, flags):
    """Logits alone; this process computes no gradient any more."""
    model.eval()
    if "trace" in flags or "optimized" in flags:
        with torch.no_grad():
            model = torch.jit.trace(model, x)
        if "optimized" in flags:
            model = torch.jit.optimize_for_inference(torch.jit.freeze(model))
    guard.__enter__()
    return lambda: model(x)


def w11(rows):
    return lambda flags, _: inference(mlp(), torch.rand(rows, 784), flags)


def w11lenet(rows):
    return lambda flags, layout: inference(lenet().to(**layout),
                                           torch.rand(rows, 1, 28, 28).to(**layout), flags)


INFERENCE = {"w11:1": w11(1), "w11:256": w11(256),
             "w11lenet:1": w11lenet(1), "w11lenet:256": w11lenet(256)}
WORKLOADS = {"w6": lambda foreach, _: gpt(foreach, 4, 4, 128, 64, 12),
             "w6b": lambda foreach, _: gpt(foreach, 6, 6, 384, 256, 8),
             "w1": w1, "w2": w2, "w3": w3, "w4": w4, "w5": w5, "w7": w7, "w8": w8, "block": block,
             "w10": lambda *_: chain(0.1), "w10n": lambda *_: chain(0)}


def make_step(workload, flags):
    torch.manual_seed(1)
    foreach = {"foreach": True} if "foreach" in flags else {}
    layout = {"memory_format": torch.channels_last} if "channels-last" in flags else {}
    if workload in INFERENCE:
        return INFERENCE[workload](flags, layout)
    return WORKLOADS[workload](foreach, layout)


peer.serve(make_step)
