"""The loss of examples/newton.nn before each step, by NumPy in f64: Newton's method, written out.

    /usr/bin/python3 newton.py breast_cancer.csv > newton.losses        (python3-numpy)
"""
import csv
import sys
import numpy as np

rows = list(csv.reader(open(sys.argv[1])))[1:]
data = np.array(rows, dtype=float)
x, y = data[:, :30], data[:, 30]
x = (x - x.mean(0)) / x.std(0)
x = np.hstack([x, np.ones((len(x), 1))])
w = np.zeros(31)
for step in range(9):
    z = x @ w
    p = 1 / (1 + np.exp(-z))
    loss = np.mean(np.logaddexp(0, z) - z * y) + 0.001 * w @ w
    g = x.T @ (p - y) / len(x) + 0.002 * w
    h = x.T @ (x * (p * (1 - p) / len(x))[:, None]) + 0.002 * np.eye(31)
    print("%.12f" % loss)
    w -= np.linalg.solve(h, g)
