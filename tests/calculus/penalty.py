"""The losses of penalty.nn, by PyTorch in f64 with create_graph: penalty.losses.

    /usr/bin/python3 penalty.py > penalty.losses        (python3-torch; made with 1.13.1)
"""
import csv
import os
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
here = os.path.dirname(os.path.abspath(__file__))
rows = list(csv.DictReader(open(os.path.join(here, "../train/reference/library.csv"))))[:5]
z = torch.tensor([[float(r["z%d" % i]) for i in range(3)] for r in rows], requires_grad=True)
t = torch.tensor([[float(r["t%d" % i]) for i in range(3)] for r in rows])
index = [torch.arange(n, dtype=torch.float64) for n in (3, 4)]
p = [torch.sin(3 * index[0][:, None] + 5 * index[1] + 1), torch.full((4,), 0.1),
     torch.cos(2 * index[1][:, None] - 3 * index[1]), torch.sin(index[1] + 0.5)]
for w in p:
    w.requires_grad_()
optimizer = torch.optim.Adam(p, lr=0.02)
for step in range(12):
    h = F.silu(z @ p[0] + p[1])
    y = (F.softplus(h @ p[2]) + torch.tanh(h)) @ p[3]
    g, = torch.autograd.grad(y.sum(), z, create_graph=True)
    loss = (y * (t[:, 0] - t[:, 1])).mean() + 10 * ((g.norm(dim=1) - 1) ** 2).mean()
    print("%.12g" % loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
