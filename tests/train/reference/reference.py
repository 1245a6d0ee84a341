"""Losses of 20 training steps of three networks, by PyTorch: what losses.tsv holds.

    /usr/bin/python3 reference.py > losses.tsv          (python3-torch; made with 1.13.1)

The data and the first weights are those of make_inputs.c. The sums run in float64, so that the
figures hold no rounding of one library; the same in float32 differs by less than 1e-5.
"""
import numpy as np
import torch
import torch.nn.functional as F

PIXELS, CLASSES, STEPS = 28 * 28, 10, 20


def hashes(stream, count):
    with np.errstate(over="ignore"):
        z = (np.uint64(stream) << np.uint64(32)) + np.arange(count, dtype=np.uint64)
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def data(rows, dtype):
    label = (hashes(100, rows) % np.uint64(CLASSES)).astype(np.int64)
    pattern = (hashes(101, CLASSES * PIXELS) >> np.uint64(56)).astype(np.int64)
    noise = (hashes(102, rows * PIXELS) >> np.uint64(56)).astype(np.int64)
    pixel = (3 * pattern.reshape(CLASSES, PIXELS)[label] + noise.reshape(rows, PIXELS)) // 4
    return torch.tensor(pixel, dtype=dtype) / 255, torch.tensor(label)


def weights(gain, shapes, dtype):
    """Uniform in +-gain / sqrt(fan_in), rounded to float32."""
    out = []
    for stream, (shape, fan_in) in enumerate(shapes):
        count = int(np.prod(shape))
        u = (hashes(stream, count) >> np.uint64(40)).astype(np.float64) / 2.0**24
        w = ((2 * u - 1) * (gain / np.sqrt(fan_in))).astype(np.float32).reshape(shape)
        out.append(torch.tensor(w).to(dtype).requires_grad_())
    return out


def cross_entropy_of(forward):
    return lambda x, y: F.cross_entropy(forward(x), y)


def mlp(dtype):
    p = weights(1, [((784, 512), 784), ((512,), 784), ((512, 256), 512), ((256,), 512),
                    ((256, 10), 256), ((10,), 256)], dtype)

    def forward(x):
        x = F.relu(x @ p[0] + p[1])
        x = F.relu(x @ p[2] + p[3])
        return x @ p[4] + p[5]
    return p, cross_entropy_of(forward), torch.optim.Adam(p, lr=1e-3), 128


def lenet5(dtype):
    p = weights(2, [((5, 5, 1, 1, 6), 25), ((6,), 25), ((5, 5, 1, 6, 16), 150), ((16,), 150),
                    ((400, 120), 400), ((120,), 400), ((120, 84), 120), ((84,), 120),
                    ((84, 10), 84), ((10,), 84)], dtype)

    def filters(k):                                     # [u, v, 1, c, f] to [f, c, u, v]
        return k[:, :, 0].permute(3, 2, 0, 1)

    def forward(x):
        x = x.reshape(-1, 1, 28, 28)
        x = F.max_pool2d(F.relu(F.conv2d(x, filters(p[0]), p[1], padding=2)), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, filters(p[2]), p[3])), 2)
        x = x.permute(0, 2, 3, 1).reshape(-1, 400)      # channels last
        x = F.relu(x @ p[4] + p[5])
        x = F.relu(x @ p[6] + p[7])
        return x @ p[8] + p[9]
    return p, cross_entropy_of(forward), torch.optim.SGD(p, lr=0.03, momentum=0.9), 64


def siamese(dtype):
    p = weights(1, [((784, 64), 784), ((64,), 784), ((64, 32), 64), ((32,), 64)], dtype)

    def embed(x):
        return F.relu(x @ p[0] + p[1]) @ p[2] + p[3]

    def loss(x, y):                                     # each image and its mirror image
        twin = x.reshape(-1, 28, 28).transpose(1, 2).reshape(-1, PIXELS)
        similarity = F.cosine_similarity(embed(x), embed(twin))
        return F.mse_loss(similarity, (y < 5).to(dtype))
    return p, loss, torch.optim.Adam(p, lr=1e-4), 64


def losses(network, dtype):
    p, loss_of, optimizer, rows = network(dtype)
    x, y = data(rows, dtype)
    out = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


if __name__ == "__main__":
    print("# network\tstep\tloss; made by reference.py")
    for name, network in (("mlp", mlp), ("lenet5", lenet5), ("siamese", siamese)):
        exact, single = losses(network, torch.float64), losses(network, torch.float32)
        worst = max(abs(a - b) / max(abs(a), 1e-3) for a, b in zip(exact, single))
        assert worst < 2e-5, (name, worst)
        for step, loss in enumerate(exact, 1):
            print("%s\t%d\t%.9f" % (name, step, loss))
