"""20 training steps of deep networks, by PyTorch: what deep.tsv holds.

    /usr/bin/python3 deep.py > deep.tsv          (python3-torch; made with 1.13.1)

A line that starts with `=` is the number of rows, or a parameter: network, path, offset, bound and
sizes; its first values are offset + uniform in +-bound, by make_inputs.c. The other lines are the loss and the sum of the
parameters' squares at a step, in float64, and so are the programs that are held against them: of
a hundred thousand activations some lie so near the kink of relu that float32 decides for another
side in the first steps, and what follows differs by a thousandth after 20. That is so between
PyTorch's own float32 and float64.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "reference"))
from reference import STEPS, data, hashes


class Net:
    """A network's parameters, in the order in which they are asked for first."""

    def __init__(self, name, dtype):
        self.name, self.dtype, self.p, self.spec = name, dtype, {}, []

    def param(self, path, shape, offset, bound):
        if path not in self.p:
            count = int(np.prod(shape))
            u = (hashes(len(self.p), count) >> np.uint64(40)).astype(np.float64) / 2.0**24
            w = (offset + (2 * u - 1) * bound).astype(np.float32).reshape(shape)
            self.p[path] = torch.tensor(w).to(self.dtype).requires_grad_()
            self.spec.append("=%s\t%s\t%.17g\t%.17g\t%s" %
                             (self.name, path, offset, bound, " ".join(map(str, shape))))
        return self.p[path]

    def filters(self, path, size, c, f, groups=1):  # [u, v, g, c / g, f / g] to [f, c / g, u, v]
        k = self.param(path + ".k", (size, size, groups, c // groups, f // groups), 0,
                       2 / np.sqrt(size * size * c / groups))
        return k.permute(2, 4, 3, 0, 1).reshape(f, c // groups, size, size)

    def conv(self, path, x, f, size, stride=1, bias=False, groups=1):
        k = self.filters(path, size, x.shape[1], f, groups)
        b = self.param(path + ".b", (f,), 0, 0.1) if bias else None
        return F.conv2d(x, k, b, stride=stride, padding=(size - 1) // 2, groups=groups)

    def up(self, path, x, f):  # transposed, 2x2, stride 2
        c = x.shape[1]
        k = self.param(path + ".k", (2, 2, 1, c, f), 0, 2 / np.sqrt(c))
        return F.conv_transpose2d(x, k[:, :, 0].permute(2, 3, 0, 1), self.param(path + ".b", (f,), 0, 0.1),
                                  stride=2)

    def norm(self, path, x):
        c = x.shape[1]
        return F.batch_norm(x, None, None, self.param(path + ".gamma", (c,), 1, 0.25),
                            self.param(path + ".beta", (c,), 0, 0.1), training=True)

    def dense(self, path, x, units):
        n = x.shape[1]
        w = self.param(path + ".w", (n, units), 0, 2 / np.sqrt(n))
        return x @ w + self.param(path + ".b", (units,), 0, 0.1)


def resnet20(n, x, y):
    def block(i, x, f, stride):
        at = "block#%d." % i
        z = F.relu(n.norm(at + "batch_norm#1", n.conv(at + "conv2d#1", x, f, 3, stride)))
        z = n.norm(at + "batch_norm#2", n.conv(at + "conv2d#2", z, f, 3))
        s = x[:, :, ::stride, ::stride]
        return F.relu(z + F.pad(s, (0, 0, 0, 0, 0, f - s.shape[1])))
    x = F.relu(n.norm("batch_norm#1", n.conv("conv2d#1", x, 16, 3)))
    for i in range(9):
        x = block(i + 1, x, 16 << i // 3, 2 if i in (3, 6) else 1)
    z = n.dense("dense#1", x.mean((2, 3)), 10)
    return F.cross_entropy(z, y) + 5e-5 * sum((w ** 2).sum() for w in n.p.values())


def unet(n, x, y):
    def twice(i, x, f):
        at = "twice#%d." % i
        x = F.relu(n.norm(at + "batch_norm#1", n.conv(at + "conv2d#1", x, f, 3)))
        return F.relu(n.norm(at + "batch_norm#2", n.conv(at + "conv2d#2", x, f, 3)))
    image = x
    a = twice(1, x, 8)
    b = twice(2, F.max_pool2d(a, 2), 16)
    c = twice(3, F.max_pool2d(b, 2), 32)
    d = twice(4, torch.cat([n.up("conv2d_transpose#1", c, 16), b], 1), 16)
    e = twice(5, torch.cat([n.up("conv2d_transpose#2", d, 8), a], 1), 8)
    z = n.conv("conv2d#1", e, 1, 1, bias=True)
    return F.binary_cross_entropy_with_logits(z, (image < 127.5 / 255).to(z.dtype))


def xception(n, x, y):
    def separable(path, x, f):
        x = n.conv(path + ".depthwise_conv2d#1.conv2d#1", x, x.shape[1], 3, groups=x.shape[1])
        return n.conv(path + ".conv2d#1", x, f, 1)

    def block(i, x, f):
        at = "block#%d." % i
        z = n.norm(at + "batch_norm#1", separable(at + "separable_conv2d#1", F.relu(x), f))
        z = n.norm(at + "batch_norm#2", separable(at + "separable_conv2d#2", F.relu(z), f))
        s = n.norm(at + "batch_norm#3", n.conv(at + "conv2d#1", x, f, 1, 2))
        return F.max_pool2d(z, 2) + s
    x = F.relu(n.norm("batch_norm#1", n.conv("conv2d#1", x, 12, 3)))
    x = block(2, block(1, x, 20), 36)
    x = F.relu(n.norm("batch_norm#2", separable("separable_conv2d#1", x, 40)))
    return F.cross_entropy(n.dense("dense#1", x.mean((2, 3)), 10), y)


def gpt(n, x, y):
    """Of no images: 12 rows of 64 words by a formula, and the words behind them."""
    row, t = torch.arange(12)[:, None], torch.arange(65)
    words = (37 * row + 11 * t * t + 5 * row * t) % 65
    here, behind = words[:, :-1], words[:, 1:]

    def norm(path, x):
        c = x.shape[-1]
        return F.layer_norm(x, (c,), n.param(path + ".gamma", (c,), 1, 0.25),
                            n.param(path + ".beta", (c,), 0, 0.1))

    def place(path, x, units):  # dense, at each place
        w = n.param(path + ".w", (x.shape[-1], units), 0, 1 / np.sqrt(x.shape[-1]))
        return x @ w + n.param(path + ".b", (units,), 0, 0.1)

    def attention(path, x, heads=4):
        rows, time, c = x.shape
        d = c // heads
        wqkv = n.param(path + ".wqkv", (c, 3, heads, d), 0, 1 / np.sqrt(c))
        wo = n.param(path + ".wo", (heads, d, c), 0, 1 / np.sqrt(c))
        a = x @ wqkv.reshape(c, 3 * c) + n.param(path + ".bqkv", (3 * c,), 0, 0.1)
        q, k, v = a.reshape(rows, time, 3, heads, d).permute(2, 0, 3, 1, 4)
        unseen = torch.ones(time, time, dtype=torch.bool).triu(1)
        z = (q @ k.transpose(2, 3) / np.sqrt(d)).masked_fill(unseen, -np.inf)
        y = (F.softmax(z, -1) @ v).transpose(1, 2).reshape(rows, time, c)
        return y @ wo.reshape(c, c) + n.param(path + ".bo", (c,), 0, 0.1)

    table = n.param("e.table", (65, 128), 0, 0.2)
    x = table[here] + n.param("learned_positions#1.table", (64, 128), 0, 0.2)
    for i in range(4):
        at = "encoder_block#%d." % (i + 1)
        x = x + attention(at + "attention#1", norm(at + "layer_norm#1", x))
        h = place(at + "feed_forward#1.dense#1", norm(at + "layer_norm#2", x), 512)
        x = x + place(at + "feed_forward#1.dense#2", F.gelu(h), 128)
    z = norm("layer_norm#1", x) @ table.T
    return F.cross_entropy(z.reshape(-1, 65), behind.reshape(-1))


TEXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../examples/data/pig_latin.tsv")


def text_batches(rows=50, time=50):
    """The first 50,001 characters as a stream of 50 rows; classes by how often they stand there,
    then by code point."""
    text = open(TEXT).read()[:rows * time * STEPS + 1]
    classes = sorted(set(text), key=lambda c: (-text.count(c), c))
    words = torch.tensor([classes.index(c) for c in text])

    def rows_of(shift):
        return words[shift:shift + rows * time * STEPS].reshape(rows, STEPS, time).transpose(0, 1)
    return rows_of(0), rows_of(1)


def char_lstm(n, x, y):
    """Of no images: two layers over a text, whose states go on from step to step."""
    if not hasattr(n, "text"):
        n.text, n.states, n.step = text_batches(), [None, None], 0
    x = F.one_hot(n.text[0][n.step], 65).to(n.dtype)
    states = []
    for i in range(2):
        at = "lstm#1.lstm_cell#%d." % (i + 1)
        wx = n.param(at + "wx", (x.shape[-1], 4, 128), 0, 0.1)
        wh = n.param(at + "wh", (128, 4, 128), 0, 0.1)
        b = n.param(at + "b", (4, 128), 0, 0.1)
        module = torch.nn.LSTM(x.shape[-1], 128, batch_first=True)
        module._flat_weights = [wx.flatten(1).T, wh.flatten(1).T, b.flatten(), 0 * b.flatten()]
        x, last = module(x, n.states[i])
        states.append([h.detach() for h in last])
    z = x @ n.param("dense#1.w", (128, 65), 0, 0.1) + n.param("dense#1.b", (65,), 0, 0.1)
    loss = F.cross_entropy(z.reshape(-1, 65), n.text[1][n.step].reshape(-1))
    if torch.is_grad_enabled():  # else it only asks for the parameters
        n.states, n.step = states, n.step + 1
    return loss


def clamped_rmsprop(params):
    """RMSprop of gradients that are held in [-5, 5]."""
    optimizer = torch.optim.RMSprop(params, lr=2e-3, alpha=0.95)
    plain = optimizer.step

    def clamped_step():
        torch.nn.utils.clip_grad_value_(params, 5.0)
        plain()
    optimizer.step = clamped_step
    return optimizer


def clipped_adamw(params):
    """AdamW that shrinks matrices only, its rate rising for 5 steps and falling along a cosine,
    the gradients' norm at most 1."""
    groups = [{"params": [p for p in params if p.dim() > 1], "weight_decay": 0.1},
              {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    step, plain = 0, optimizer.step

    def clipped_step():
        nonlocal step
        step += 1
        lr = 1e-4 + 9e-4 * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        for group in optimizer.param_groups:
            group["lr"] = lr * min(step / 5, 1)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        plain()
    optimizer.step = clipped_step
    return optimizer


networks = {
    "resnet20": (resnet20, 8, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9)),
    "unet": (unet, 4, lambda p: torch.optim.Adam(p, lr=1e-3)),
    "xception": (xception, 8, lambda p: torch.optim.RMSprop(p, lr=1e-3, alpha=0.99)),
    "gpt": (gpt, 1, clipped_adamw),
    "char_lstm": (char_lstm, 1, clamped_rmsprop),
}


def run(name, dtype):
    loss_of, rows, make = networks[name]
    x, y = data(rows, dtype)
    x = x.reshape(-1, 1, 28, 28)
    n = Net(name, dtype)
    with torch.no_grad():
        loss_of(n, x, y)
    params = list(n.p.values())
    optimizer = make(params)
    losses, sizes = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(n, x, y)
        loss.backward()
        losses.append(loss.item())
        sizes.append(sum((w.detach().double() ** 2).sum().item() for w in params))
        optimizer.step()
    return n.spec, losses, sizes


if __name__ == "__main__":
    print("# network\tstep\tloss\tsum of squares of the parameters; made by deep.py")
    for name in networks:
        spec, losses, sizes = run(name, torch.float64)
        print("=%s\trows\t%d" % (name, networks[name][1]))
        print("\n".join(spec))
        for step in range(STEPS):
            print("%s\t%d\t%.10g\t%.10g" % (name, step + 1, losses[step], sizes[step]))
