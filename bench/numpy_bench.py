"""W1, W2, W8 and W11's perceptron by NumPy, with passes written by hand; peer.py says how it is asked.

    echo "w2 1.0" | OMP_NUM_THREADS=1 python3 bench/numpy_bench.py
"""
import numpy as np
import peer

F = np.float32
rng = np.random.default_rng(1)


def dense(n, m):
    bound = 1 / np.sqrt(n)
    return [rng.uniform(-bound, bound, shape).astype(F) for shape in ((n, m), (m,))]


def softmax_gradient(z, rows, y):
    """Of the mean cross-entropy, in place of the logits z."""
    z -= z.max(1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(1, keepdims=True)
    z[rows, y] -= 1
    z *= F(1 / len(y))
    return z


def w1():
    x, y, rows = rng.random((128, 784), dtype=F), rng.integers(0, 10, 128), np.arange(128)
    layers = [dense(784, 512), dense(512, 256), dense(256, 10)]
    params = [p for layer in layers for p in layer]
    means, squares = ([np.zeros_like(p) for p in params] for _ in "12")
    made = 0

    def adam(gradients):
        nonlocal made
        made += 1
        rate, scale = F(1e-3 / (1 - 0.9 ** made)), F(1 / (1 - 0.999 ** made))
        for p, g, m, v in zip(params, gradients, means, squares):
            m *= F(0.9)
            m += F(0.1) * g
            np.square(g, out=g)
            g *= F(0.001)
            v *= F(0.999)
            v += g
            np.multiply(v, scale, out=g)
            np.sqrt(g, out=g)
            g += F(1e-8)
            np.divide(m, g, out=g)
            g *= rate
            p -= g

    def step():
        inputs = [x]
        for i, (w, b) in enumerate(layers):
            z = inputs[-1] @ w
            z += b
            inputs.append(np.maximum(z, 0, out=z) if i < 2 else z)
        d = softmax_gradient(inputs.pop(), rows, y)
        gradients = []
        for i in (2, 1, 0):
            gradients[:0] = [inputs[i].T @ d, d.sum(0)]
            if i:
                d = d @ layers[i][0].T
                d *= inputs[i] > 0
        adam(gradients)
    return step


def w2():
    x, y = rng.random((10, 784), dtype=F), np.eye(10, dtype=F)[rng.integers(0, 10, 10)]
    (w, b), (v, c) = dense(784, 30), dense(30, 10)
    rate, one = F(3 / 10), F(1)

    def step():
        nonlocal w, b, v, c
        h = one / (one + np.exp(-(x @ w + b)))
        a = one / (one + np.exp(-(h @ v + c)))
        d = (a - y) * a * (one - a)
        e = (d @ v.T) * h * (one - h)
        v -= rate * (h.T @ d)
        c -= rate * d.sum(0)
        w -= rate * (x.T @ e)
        b -= rate * e.sum(0)
    return step


def w8():
    pixels, digit = peer.digits()
    x, y = np.array(pixels, F), np.array(digit)
    rows, w, b = np.arange(len(y)), np.zeros((64, 10), F), np.zeros(10, F)

    def step():
        nonlocal w, b
        z = x @ w
        z += b
        d = softmax_gradient(z, rows, y)
        w -= F(0.5) * (x.T @ d)
        b -= F(0.5) * d.sum(0)
    return step


def w11(n):
    x, layers = rng.random((n, 784), dtype=F), [dense(784, 512), dense(512, 256), dense(256, 10)]

    def step():
        z = x
        for i, (w, b) in enumerate(layers):
            z = z @ w
            z += b
            if i < 2:
                np.maximum(z, 0, out=z)
        return z
    return step


peer.serve(lambda workload, flags: {"w1": w1, "w2": w2, "w8": w8, "w11:1": lambda: w11(1),
                                    "w11:256": lambda: w11(256)}[workload]())
