"""The workloads of run.sh by PyTorch, for comparison: one JSON line with the median step.

    python3 torch_bench.py w1|w3 --threads N --steps N [--foreach] [--channels-last]

The batch is made once and is in memory. A step clears the gradients, and computes the forward
pass, the loss, the backward pass and the update. run.sh sets the environment in which torch is
fastest.
"""
import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("workload", choices=["w1", "w3"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--warmup", type=int, default=50)
parser.add_argument("--foreach", action="store_true", help="multi-tensor optimizers")
parser.add_argument("--channels-last", action="store_true")
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import torch                       # noqa: E402
import torch.nn as nn              # noqa: E402
import torch.nn.functional as F    # noqa: E402

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)
torch.manual_seed(1)
foreach = {"foreach": True} if args.foreach else {}

if args.workload == "w1":
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                          nn.Linear(256, 10))
    x = torch.rand(128, 784)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **foreach)
else:
    model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                          nn.Linear(84, 10))
    x = torch.rand(64, 1, 28, 28)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, **foreach)
if args.channels_last:
    model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
y = torch.randint(10, (len(x),))


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()


times = []
for i in range(args.warmup + args.steps):
    start = time.perf_counter()
    step()
    if i >= args.warmup:
        times.append(time.perf_counter() - start)
times.sort()
print(json.dumps({"step_ms": round(1e3 * times[len(times) // 2], 5),
                  "min_ms": round(1e3 * times[0], 5), "torch": torch.__version__}))
