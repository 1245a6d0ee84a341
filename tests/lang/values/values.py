"""What index notation and its kin must give, by NumPy: values.tsv.

    /usr/bin/python3 values.py > values.tsv            (python3-numpy)

Each case is a model's body over a row x: [12] of rows.csv and its class k, with the number of
results for a row, and the same in NumPy, one row at a time.
"""
import csv
import functools
import math
import os
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
rows = [({n: float(v) for n, v in r.items()}) for r in csv.DictReader(open(os.path.join(here, "rows.csv")))]
X = np.array([[r["x%d" % i] for i in range(12)] for r in rows])
K = np.array([int(r["k"]) for r in rows])


def at(x, i, otherwise=0.0):
    return x[i] if 0 <= i < len(x) else otherwise


# A matrix whose pivots have to be looked for: its diagonal is zero.
def square(n):
    return ("a[i < %d, j < %d] = if i == j then 0 else mod(7 * i + 3 * j * j, 11) - 4.5; " % (n, n))


def SQUARE(n):
    return np.array([[0 if i == j else (7 * i + 3 * j * j) % 11 - 4.5 for j in range(n)] for i in range(n)])


# The fewest of the largest that have the probability p together, in softmax(z).
def likeliest(z, p):
    e = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    order = np.argsort(-z)
    count = 1 + np.searchsorted(np.cumsum(e[order]), p)
    return np.isin(np.arange(len(z)), order[:count])


img = "m[n, i < 3, j < 4] = x[n, (i, j)]"
cases = [
    ("scan", 12, "scan t < 12 from s: [batch] = 0 { s = s + x[:, t]; y[:, t] = s }; return y",
     lambda x, k: np.cumsum(x)),
    ("scan back", 12, "scan t < 12 from s: [batch] = 1 { y[:, t] = s; s = 0.5 * s + x[:, 11 - t] }; return y",
     lambda x, k: [0.5**t + sum(0.5**(t - 1 - i) * x[11 - i] for i in range(t)) for t in range(12)]),
    ("scan of two", 2, "scan t < 12 from a: [batch] = 1, b: [batch] = 0 { c = a + b; a = b; b = c }; "
     "y[n, j < 2] = if j == 0 then a[n] else b[n] + x[n, 0]; return y", lambda x, k: [89, 144 + x[0]]),
    ("scan over", 2, "m[n, i < 3, j < 4] = x[n, (i, j)]; scan r over m from s: [batch, 4] = 0 "
     "{ s = max(s, r); z[:, r] = s }; y[n, j < 2] = z[n, j + 1, 3]; return y",
     lambda x, k: [max(0, x[3], x[7]), max(0, x[3], x[7], x[11])]),
    ("scan of one step", 2, "scan t < 1 from s = x { s = s * 2; y[n, t, j < 1] = s[n, 3] + t }; "
     "z[n, j < 2] = if j == 0 then y[n, 0, 0] else s[n, 5]; return z", lambda x, k: [2 * x[3], 2 * x[5]]),
    ("scan that swaps", 2, "a0[n] = x[n, 0]; b0[n] = x[n, 1]; scan t < 5 from a = a0, b = b0 "
     "{ c = a; a = b; b = c }; y[n, j < 2] = if j == 0 then a[n] else b[n]; return y",
     lambda x, k: [x[1], x[0]]),
    ("scan without recurrence", 3, "scan t < 3 from a: [batch] = 7 { y[:, t] = a; a = x[:, t] }; return y",
     lambda x, k: [7, x[0], x[1]]),
    ("scan of classes", 1, "scan t < 12 from c: class(8)[batch] = k { c[n] = floor(mod(c[n] * 3 + t, 8)) }; "
     "y[n, j < 1] = c[n]; return y", lambda x, k: [functools.reduce(lambda c, t: (c * 3 + t) % 8, range(12), k)]),
    ("scans in a row", 12, "scan t < 12 from s: [batch] = 0 { s = s + x[:, t]; y[:, t] = s }; "
     "scan t < 12 from p: [batch] = 1 { p = p * 0.9 + y[:, t] * x[:, t]; z[:, t] = p }; return z",
     lambda x, k: functools.reduce(
         lambda done, t: done + [(done[-1] if done else 1) * 0.9 + np.cumsum(x)[t] * x[t]], range(12), [])),
    ("identity", 12, "return x", lambda x, k: x),
    ("precedence", 12, "return 2 + 3 * x ^ 2 - -x / 4", lambda x, k: 2 + 3 * x**2 + x / 4),
    ("power", 12, "return 2 ^ x * 2 ^ -1", lambda x, k: 2**x / 2),
    ("broadcast", 12, "y[j < 12] = j * 0.5; return x * y + 1", lambda x, k: x * np.arange(12) * 0.5 + 1),
    ("functions", 12, "return exp(x) + tanh(x) + sigmoid(x) + erf(x) + sin(x) + cos(x)",
     lambda x, k: np.exp(x) + np.tanh(x) + 1 / (1 + np.exp(-x)) + [math.erf(v) for v in x]
     + np.sin(x) + np.cos(x)),
    ("roots", 12, "return sqrt(abs(x)) + log(abs(x) + 1) + log1p(x ^ 2)",
     lambda x, k: np.sqrt(abs(x)) + np.log(abs(x) + 1) + np.log1p(x**2)),
    ("rounding", 12, "return floor(x) + 10 * round(x)", lambda x, k: np.floor(x) + 10 * np.round(x)),
    ("min and max", 12, "return max(x, 0.5) + min(x, -0.5) + clamp(x, -1, 1)",
     lambda x, k: np.maximum(x, 0.5) + np.minimum(x, -0.5) + np.clip(x, -1, 1)),
    ("modulo", 12, "return mod(x, 0.75)", lambda x, k: x - 0.75 * np.floor(x / 0.75)),
    ("reverse", 12, "y[n, i < 12] = x[n, 11 - i]; return y", lambda x, k: x[::-1]),
    ("shift", 12, "y[n, i < 12] = x[n, i - 2] else 0; return y",
     lambda x, k: [at(x, i - 2) for i in range(12)]),
    ("shift to", 12, "y[n, i < 12] = (x[n, i + 3] else -1) * 2; return y",
     lambda x, k: [2 * at(x, i + 3, -1) for i in range(12)]),
    ("stride", 4, "y[n, i < 4] = x[n, 3 * i + 1]; return y", lambda x, k: x[1::3]),
    ("window sums", 5, "y[n, i < 5] = sum[a < 4] x[n, 2 * i + a]; return y",
     lambda x, k: [x[2 * i:2 * i + 4].sum() for i in range(5)]),
    ("sum and more", 2, "y[n, c < 2] = sum[i] x[n, i] * 2 + 1; return y",
     lambda x, k: [2 * x.sum() + 1] * 2),
    ("reductions", 4, "y[n, c < 4] = if c == 0 then sum[i] x[n, i] else if c == 1 then mean[i] x[n, i] "
     "else if c == 2 then max[i] x[n, i] else min[i] x[n, i]; return y",
     lambda x, k: [x.sum(), x.mean(), x.max(), x.min()]),
    ("product", 1, "y[n, c < 1] = prod[i < 5] x[n, i]; return y", lambda x, k: [x[:5].prod()]),
    ("arg", 2, "y[n, c < 2] = if c == 0 then argmax[i] x[n, i] else argmin[i] x[n, i]; return y",
     lambda x, k: [x.argmax(), x.argmin()]),
    ("any and all", 2, "y[n, c < 2] = if (if c == 0 then any[i] (x[n, i] > 1.5) else all[i] (x[n, i] > -1.9)) "
     "then 1 else 0; return y", lambda x, k: [(x > 1.5).any(), (x > -1.9).all()]),
    ("filtered mean", 3, "y[n, c < 3] = mean[i where i >= c] x[n, i]; return y",
     lambda x, k: [x[c:].mean() for c in range(3)]),
    ("filtered by value", 1, "y[n, c < 1] = sum[i where x[n, i] > 0] x[n, i]; return y",
     lambda x, k: [x[x > 0].sum()]),
    ("causal", 4, img + "; s[n, q < 4] = sum[j where j <= q] m[n, 1, j]; return s",
     lambda x, k: np.cumsum(x.reshape(3, 4)[1])),
    ("split axes", 4, img + "; y[n, j] = sum[i] m[n, i, j] * (i + 1); return y",
     lambda x, k: (x.reshape(3, 4) * [[1], [2], [3]]).sum(0)),
    ("transposed", 12, img + "; y[n, (j, i)] = m[n, i, j]; return y", lambda x, k: x.reshape(3, 4).T.ravel()),
    ("pooled", 3, "y[n, i] = max[a < 4] x[n, (i, a)]; return y", lambda x, k: x.reshape(3, 4).max(1)),
    ("kept axes", 4, img + "; y[n, :] = m[n, 0, :] + m[n, 2]; return y",
     lambda x, k: x.reshape(3, 4)[0] + x.reshape(3, 4)[2]),
    ("matrix product", 2, "w[i < 12, u < 2] = i - 3 * u; return x @ w",
     lambda x, k: x @ (np.arange(12)[:, None] - 3 * np.arange(2))),
    ("gather", 3, "t[a < 8, c < 3] = a * 10 + c; y[n, c] = t[k[n], c]; return y",
     lambda x, k: [k * 10 + c for c in range(3)]),
    ("read at a class", 1, "y[n, c < 1] = x[n, k[n]]; return y", lambda x, k: [x[k]]),
    ("one-hot", 4, "y[n, j < 4] = if j == k[n] then 1 else 0; return y", lambda x, k: np.eye(4)[k]),
    ("concatenation", 6, "y[n, i < 6] = if i < 4 then x[n, i] else x[n, 15 - i]; return y",
     lambda x, k: list(x[:4]) + [x[11], x[10]]),
    ("unrolled", 12, "y = x; for i in [1, 2, 3] { y = y * i + x }; return y",
     lambda x, k: ((x + x) * 2 + x) * 3 + x),
    ("list as a tensor", 12, "w = weight_of_each([1, 1, 1, 1], [1, -2, 3, 0.5]); y[n, (i, j)] = x[n, (i, j)] * w[j]; return y",
     lambda x, k: x * np.tile([1, -2, 3, 0.5], 3)),
    ("count", 1, "h[n, i < 3] = x[n, i]; y[n, c < 1] = count(x) / 5 + count(h) / (count(x) - 59) + 0 * x[n, c]; return y",
     lambda x, k: [12 + 15]),
    ("counted", 12, "y = x; for i < 3 { y = y + i }; return y", lambda x, k: x + 3),
    ("chosen when compiled", 12, "a = 3; if a > 2 { return x * 2 } else { return x }", lambda x, k: 2 * x),
    ("guarded division", 12, "y[n, i] = if x[n, i] != 0 then 1 / x[n, i] else 0; return y",
     lambda x, k: [1 / v if v else 0 for v in x]),
    ("convolution", 12, img + "; f[a < 3, b < 3] = a - 2 * b + 1; "
     "c[n, i < 3, j < 4] = sum[a, b] (m[n, i + a - 1, j + b - 1] else 0) * f[a, b]; "
     "y[n, (i, j)] = c[n, i, j]; return y",
     lambda x, k: [sum(np.pad(x.reshape(3, 4), 1)[i + a, j + b] * (a - 2 * b + 1)
                       for a in range(3) for b in range(3)) for i in range(3) for j in range(4)]),
    ("derivative", 12, "s = sum[n, i] exp(x[n, i]) * x[n, i]; return grad(s, x)",
     lambda x, k: np.exp(x) * (x + 1)),
    ("second derivative", 12, "s = sum[n, i] x[n, i] ^ 3; d = grad(s, x); "
     "e = sum[n, i] d[n, i]; return grad(e, x)", lambda x, k: 6 * x),
    ("jacobian", 9, "y[n, a < 3] = (sum[i] x[n, i] * (i - a)) * x[n, a]; s[a] = sum[n] y[n, a]; "
     "j[a, n, i] = grad(s[a], x)[n, i]; z[n, (a, i < 3)] = j[a, n, i + 1]; return z",
     lambda x, k: [[(i + 1 - a) * x[a] + (i + 1 == a) * (x * (np.arange(12) - a)).sum() for i in range(3)]
                   for a in range(3)]),
    ("hessian", 9, "w: [3] = 0.5; t[n] = sum[i < 3] x[n, i] * w[i]; s = sum[n] exp(t[n]) * x[n, 0]; g = grad(s, w); "
     "h[i, j] = grad(g[i], w)[j]; z[n, (i, j)] = h[i, j] * x[n, 1]; return z",
     lambda x, k: x[1] * np.einsum("n,ni,nj->ij", np.exp(X[:, :3].sum(1) / 2) * X[:, 0], X[:, :3], X[:, :3])),
    ("hessian times a vector", 12, "s = sum[n] (sum[i] x[n, i] ^ 2) ^ 1.5; g = grad(s, x); "
     "v[i < 12] = i - 4; p = sum[n, i] g[n, i] * v[i]; return grad(p, x)",
     lambda x, k: 3 * np.sqrt(x @ x) * (np.arange(12) - 4) + 3 * (x @ (np.arange(12) - 4)) * x / np.sqrt(x @ x)),
    ("own gradient reversed", 12, "s = sum[n, i] own_reverse(x)[n, i] ^ 2; return grad(s, x)", lambda x, k: -2 * x),
    ("own gradient clipped", 12, "s = sum[n, i] own_clip(0.5)(x)[n, i] ^ 2; return grad(s, x)",
     lambda x, k: np.clip(2 * x, -0.5, 0.5)),
    ("own gradient straight through", 12, "y = own_sign(x); s = sum[n, i] y[n, i] ^ 2; z = grad(s, x); return z + y",
     lambda x, k: 2 * np.where(x > 0, 1, -1) * (abs(x) < 1) + np.where(x > 0, 1, -1)),
    ("own gradient of zero", 12, "s = sum[n, i] (own_zero(x)[n, i] + x[n, i]) ^ 2; return grad(s, x)", lambda x, k: 4 * x),
    ("own gradient twice", 12, "s = sum[n, i] own_square(x)[n, i] ^ 2; g = grad(s, x); return grad(sum[n, i] g[n, i], x)",
     lambda x, k: 24 * x ** 2),
    ("own gradient of several", 24,
     "p, q = own_pair(x, x + 1); s = sum[n, i] (3 * p[n, i] + q[n, i] ^ 2); g = grad(s, x); "
     "a, b = own_pair(x, x); h = grad(sum[n, i] 3 * a[n, i], x); "
     "z[n, (m < 2, i)] = if m == 0 then g[n, i] else h[n, i]; return z",
     lambda x, k: [3 * (1 + 2 * (2 * x + 1)) + 3 - 2 * (2 * x + 1), 6 + 0 * x]),
    ("own gradient with classes", 12, "z[n, i < 8] = x[n, i] ^ 2; s = sum[n] own_pick(z, k)[n]; return grad(s, x)",
     lambda x, k: 2 * x * (np.arange(12) < 8) * np.where(np.arange(12) == k, 10, 1)),
    ("own gradient at indices", 12, "y[n, i, j] = if i < j then own_product(x[n, i], x[n, j]) else 0; "
     "s = sum[n, i, j] y[n, i, j]; return grad(s, x)",
     lambda x, k: [2 * x[i + 1:].sum() + 3 * x[:i].sum() for i in range(12)]),
    ("own gradient by element", 36, "w: [12] = 0.5; v[i] = w[i] * (i + 1); y = own_slope(v); "
     "j[a, i] = grad(y[a], v)[i]; z[n, (a < 3, i)] = j[4 * a, i] * x[n, i]; return z",
     lambda x, k: [[(i == 4 * a) * (0.5 * (i + 1)) ** 2 * x[i] for i in range(12)] for a in range(3)]),
    ("own gradient by element twice", 36, "w: [12] = 0.5; v[i] = w[i] * (i + 1); y = own_slope(v); g = grad(sum[i] y[i] * i, v); "
     "j[a, i] = grad(g[a], v)[i]; z[n, (a < 3, i)] = j[4 * a, i] * x[n, i]; return z",
     lambda x, k: [[-(i == 4 * a) * i * 3 * 0.5 * (i + 1) * x[i] for i in range(12)] for a in range(3)]),
    ("own gradient of a draw", 12, "y[n, i < 12] = own_drop(x[n, 2 * floor(i / 2)]) * i; s = sum[n, i] y[n, i]; return grad(s, x)",
     lambda x, k: [2 * (2 * i + 1) if i % 2 == 0 else 0 for i in range(12)]),
    ("own gradient of a layer", 15, "l = own_scale(2); y = l(x); s = sum[n, i] y[n, i] * i; g = grad(s, x); "
     "h = grad(s, l.w); m = grad(sum[n, i] g[n, i] * i, l.w); "
     "z[n, i < 15] = if i < 12 then (g[n, i] else 0) else (h[i - 12] else 0) + (m[i - 12] else 0); return z",
     lambda x, k: list(1.5 * np.arange(12)) +
                  [2 * (np.tanh(X) * np.arange(12)).sum() + 2 * 5 * (np.arange(12) ** 2).sum()] * 3),
    ("derivative of a part", 12, "y = x ^ 2; j[n, a < 5] = grad(y[n, 2 * a + 1], x)[n, 2 * a + 1]; z[n, i] = x[n, i] + j[n, 3]; return z",
     lambda x, k: x + 2 * x[7]),
    ("stopped", 12, "s = sum[n, i] x[n, i] * stop(x[n, i]); return grad(s, x)", lambda x, k: x),
    ("kink", 12, "s = sum[n, i] (max(x[n, i] - x[n, i], 0) + max(x[n, i], 0)); return grad(s, x)",
     lambda x, k: x > 0),
    ("first winner", 12, "s = sum[n] ((max[i] max(x[n, i], -5)) - (max[i] (x[n, i] * 0))); return grad(s, x)",
     lambda x, k: np.arange(12) == x.argmax()),
    ("solve a vector", 4, square(4) + "b[i < 4] = i - 1.5; s = solve(a, b); z[n, i < 4] = x[n, i + 1]; return z * s",
     lambda x, k: np.linalg.solve(SQUARE(4), np.arange(4) - 1.5) * x[1:5]),
    ("solve a matrix", 12, square(12) + "b[i, n] = x[n, i]; s = solve(a, b); y[n, i] = s[i, n]; return y",
     lambda x, k: np.linalg.solve(SQUARE(12), x)),
    ("solve one", 1, "a: [1, 1] = -4; b[i < 1, n] = x[n, i]; s = solve(a, b); y[n, i] = s[i, n]; return y",
     lambda x, k: x[:1] / -4),
    ("inverse", 5, square(5) + "r = inverse(a); z[n, i < 5] = x[n, i + 1]; return z @ transpose(r)",
     lambda x, k: np.linalg.inv(SQUARE(5)) @ x[1:6]),
    ("cholesky", 9, "a[i < 9, j < 9] = (sum[n] x[n, i + 1] * x[n, j + 1]) + (if i == j then i + 1 else 0); "
     "z[n, i < 9] = x[n, i + 1]; return z @ cholesky(a)",
     lambda x, k: np.linalg.cholesky((X.T @ X)[1:10, 1:10] + np.diag(np.arange(9) + 1)).T @ x[1:10]),
    ("sorted", 12, "return sort(x)", lambda x, k: np.sort(x)),
    ("sorted down", 12, "return sort(x, descending = true)", lambda x, k: -np.sort(-x)),
    ("order of equals", 12, "return argsort(floor(x)) * 1.0", lambda x, k: np.argsort(np.floor(x), kind="stable")),
    ("order down of equals", 12, "return argsort(floor(x), descending = true) * 1.0",
     lambda x, k: np.argsort(-np.floor(x), kind="stable")),
    ("largest", 3, "v, p = topk(x, 3); return v", lambda x, k: -np.sort(-x)[:3]),
    ("places of the largest", 5, "v, p = topk(floor(x) * 1.0, 5); return v + 100 * p",
     lambda x, k: [np.floor(x[i]) + 100 * i for i in np.argsort(-np.floor(x), kind="stable")[:5]]),
    ("all the largest", 12, "v, p = topk(x, 12); return v + 100 * p",
     lambda x, k: [x[i] + 100 * i for i in np.argsort(-x, kind="stable")]),
    ("largest of infinities", 4, "y[n, i < 4] = if i < 2 then x[n, i] else -inf; v, p = topk(y, 4); return p * 1.0",
     lambda x, k: list(np.argsort(-x[:2], kind="stable")) + [2, 3]),
    ("largest beside no number", 12, "y[n, i] = if i == 3 or i == 7 then log(-1 - x[n, i]^2) else x[n, i]; v, p = topk(y, 12); "
     "return p * 1.0", lambda x, k: [i for i in np.argsort(-x, kind="stable") if i not in (3, 7)] + [3, 7]),
    ("largest of one", 1, "y[n, i < 1] = x[n, i]; v, p = topk(y, 1); return v + p", lambda x, k: x[:1]),
    ("greedy", 1, "y[n, i < 1] = (greedy(x))[n]; return y", lambda x, k: x.argmax()),
    ("drawn when cold", 1, "w = sample(x, temperature = 0); y[n, i < 1] = w[n]; return y", lambda x, k: x.argmax()),
    ("drawn of the largest", 1, "w = sample(x, temperature = 2, most = 1); y[n, i < 1] = w[n]; return y",
     lambda x, k: x.argmax()),
    ("three largest scores", 12, "return max(x |> top_k(3), -99)", lambda x, k: np.where(x >= np.sort(x)[-3], x, -99)),
    ("largest scores of equals", 12, "return max(floor(x) * 1.0 |> top_k(2), -99)",
     lambda x, k: np.where(np.floor(x) >= np.sort(np.floor(x))[-2], np.floor(x), -99)),
    ("all the largest scores", 12, "return x |> top_k(0) |> top_k(12) |> top_k(40)", lambda x, k: x),
    ("largest scores of a wide range", 12, "return max(1000 * x |> top_k(4), -9999)",
     lambda x, k: np.where((1000 * x >= np.sort(1000 * x)[-4]) & (x > x.max() - 0.1), 1000 * x, -9999)),
    ("likeliest together", 12, "return max(x |> top_p(0.7), -99)", lambda x, k: np.where(likeliest(x, 0.7), x, -99)),
    ("likeliest of sharp scores", 12, "return max(9 * x |> top_p(0.9), -99)",
     lambda x, k: np.where(likeliest(9 * x, 0.9), 9 * x, -99)),
    ("likeliest of all", 12, "return x |> top_p(1)", lambda x, k: x),
    ("likeliest alone", 12, "return max(x |> top_p(0), -99)", lambda x, k: np.where(x == x.max(), x, -99)),
    ("likeliest of the largest", 12, "return max(x |> top_k(5) |> top_p(0.5), -99)",
     lambda x, k: np.where(likeliest(np.where(x >= np.sort(x)[-5], x, -np.inf), 0.5), x, -99)),
    ("standardized", 12, "return x |> standardize(rows.train.x)", lambda x, k: (x - X.mean(0)) / X.std(0)),
    ("standardized constant", 2, "y[n, i < 2] = x[n, i] * i + 0.1; t[n, i < 2] = rows.train.x[n, i] * i + 0.1; "
     "return y |> standardize(t)", lambda x, k: [0, (x[1] - X[:, 1].mean()) / X[:, 1].std()]),
    ("covariance of a split", 12, "m = column_mean(rows.train.x); "
     "c[i, j] = mean[r] (rows.train.x[r, i] - m[i]) * (rows.train.x[r, j] - m[j]); return x @ c",
     lambda x, k: x @ np.cov(X.T, bias=True)),
    ("frequencies", 1, "f: [8] = 0; f[rows.train.k[r]] += 1; state s: [8] = f; y[n, c < 1] = s[k[n]]; return y",
     lambda x, k: [(K == k).sum()]),
    ("weights of classes", 1, "f: [8] = 0; f[rows.train.k[r]] += 1; w[c] = (sum[j] f[j]) / max(8 * f[c], 1); "
     "y[n, c < 1] = w[k[n]]; return y", lambda x, k: [5 / (8 * (K == k).sum())]),
    ("balanced classes", 1, "w = class_weights(rows.train.k)(); y[n, c < 1] = w[k[n]]; return y",
     lambda x, k: [5 / (8 * (K == k).sum())]),
    ("counts of classes", 5, "y[n, c < 5] = (class_counts(rows.train.k))[c] + 0 * x[n, 0]; return y",
     lambda x, k: np.bincount(K, minlength=8)[:5]),
    ("sums of classes", 12, "s: [8, 12] = 0; s[rows.train.k[r], j] += rows.train.x[r, j]; state t: [8, 12] = s; "
     "y[n, j] = t[k[n], j]; return y", lambda x, k: X[K == k].sum(0)),
    ("nearest but itself", 1, "d[n, r] = sum[j] (x[n, j] - rows.train.x[r, j])^2; "
     "near[n] = argmin[r where d[n, r] > 0] d[n, r]; y[n, c < 1] = rows.train.k[near[n]]; return y",
     lambda x, k: [K[np.where(((X - x)**2).sum(1) > 0, ((X - x)**2).sum(1), np.inf).argmin()]]),
    ("two nearest", 12, "d[n, r] = sum[j] (x[n, j] - rows.train.x[r, j])^2; v, p = topk(-d, 2); "
     "y[n, j] = sum[i] rows.train.x[p[n, i], j]; return y",
     lambda x, k: X[((X - x)**2).sum(1).argsort()[:2]].sum(0)),
    ("ridge regression", 3, "a[i < 3, j < 3] = (sum[r] rows.train.x[r, i] * rows.train.x[r, j]) + (if i == j then 1 else 0); "
     "b[i < 3] = sum[r] rows.train.x[r, i] * rows.train.x[r, 5]; state w: [3] = solve(a, b); "
     "y[n, i < 3] = x[n, i] * w[i]; return y",
     lambda x, k: x[:3] * np.linalg.solve(X[:, :3].T @ X[:, :3] + np.eye(3), X[:, :3].T @ X[:, 5])),
]
print("# name\tresults\tbody\tvalues, row by row; made by values.py")
for name, count, body, f in cases:
    values = [np.asarray(f(x, k), dtype=float).ravel() for x, k in zip(X, K)]
    assert all(len(v) == count for v in values), name
    print("\t".join([name, str(count), body, " ".join("%.10g" % v for row in values for v in row)]))
