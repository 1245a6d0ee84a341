"""What the library's definitions must give, by PyTorch: library.tsv.

    /usr/bin/python3 library.py > library.tsv          (python3-torch; made with 1.13.1)

Each case is a loss over five rows of library.csv and an optimizer, in the language and in
PyTorch. The model is z * w + b with w = 1 and b = 0 at the start, so that six steps of training
show the loss's value, its gradient and the optimizer's rule. In float64.
"""
import csv
import math
import os
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
here = os.path.dirname(os.path.abspath(__file__))
rows = list(csv.DictReader(open(os.path.join(here, "library.csv"))))
z = torch.tensor([[float(r["z%d" % i]) for i in range(3)] for r in rows])
t = torch.tensor([[float(r["t%d" % i]) for i in range(3)] for r in rows])
label = torch.tensor([int(r["label"]) for r in rows])
STEPS = 6


def sgd(lr):
    return "sgd(lr = %g)" % lr, lambda p: torch.optim.SGD(p, lr=lr), None, None


def by_optimizer(text, make, clip=None):
    return text, make, None, clip


def by_schedule(text, rate):  # rate(step from 1, epoch from 0); an epoch is a step
    return "sgd(lr = %s)" % text, lambda p: torch.optim.SGD(p, lr=1), rate, None


def activation(text, f, lr=0.5):
    return "squared_error(%s, t)" % text, lambda y: F.mse_loss(f(y), t), sgd(lr)


def gauss(y):
    return F.gaussian_nll_loss(y, t, torch.exp(y / 2), eps=0)


prelu = torch.tensor([0.25])
square = ("squared_error(output, t)", lambda y: F.mse_loss(y, t))
cases = {
    "relu": activation("relu(output)", F.relu),
    "leaky_relu": activation("leaky_relu(0.1)(output)", lambda y: F.leaky_relu(y, 0.1)),
    "elu": activation("elu(1.5)(output)", lambda y: F.elu(y, 1.5)),
    "gelu": activation("gelu(output)", F.gelu),
    "silu": activation("silu(output)", F.silu),
    "softplus": activation("softplus(20 * output)", lambda y: F.softplus(20 * y, threshold=1e9),
                           lr=1e-4),
    "hard_tanh": activation("hard_tanh(output)", F.hardtanh),
    "sigmoid": activation("sigmoid(output)", torch.sigmoid),
    "tanh": activation("tanh(output)", torch.tanh),
    "softmax": activation("softmax(output)", lambda y: F.softmax(y, 1)),
    "softmax of large": activation("softmax(1e4 * output)", lambda y: F.softmax(1e4 * y, 1)),
    "log_softmax": activation("log_softmax(output)", lambda y: F.log_softmax(y, 1)),
    "squared_error": (*square, sgd(0.5)),
    "absolute_error": ("absolute_error(output, t)", lambda y: F.l1_loss(y, t), sgd(0.1)),
    "huber": ("huber(output, t, delta = 0.7)", lambda y: F.huber_loss(y, t, delta=0.7), sgd(0.5)),
    "binary_cross_entropy": ("binary_cross_entropy(9 * output, t)",
                             lambda y: F.binary_cross_entropy_with_logits(9 * y, t), sgd(0.1)),
    "binary_cross_entropy_p": ("binary_cross_entropy_p(sigmoid(output), t)",
                               lambda y: F.binary_cross_entropy(torch.sigmoid(y), t), sgd(0.5)),
    "cross_entropy": ("cross_entropy(output, label)", lambda y: F.cross_entropy(y, label), sgd(0.5)),
    "cross_entropy of large": ("cross_entropy(1e4 * output, label)",
                               lambda y: F.cross_entropy(1e4 * y, label), sgd(1e-9)),
    "cross_entropy smoothed": ("cross_entropy(output, label, smoothing = 0.2)",
                               lambda y: F.cross_entropy(y, label, label_smoothing=0.2), sgd(0.5)),
    "hinge": ("hinge(output, label, margin = 0.9)",
              lambda y: 3 * F.multi_margin_loss(y, label, margin=0.9), sgd(0.05)),
    "kl_divergence": ("kl_divergence(output, softmax(t))",
                      lambda y: F.kl_div(F.log_softmax(y, 1), F.softmax(t, 1), reduction="batchmean"),
                      sgd(0.5)),
    "gaussian_nll": ("gaussian_nll(output, exp(output / 2), t)", gauss, sgd(0.1)),
    "l2": ("squared_error(output, t) + 0.3 * l2(params)",
           lambda y, w, b: F.mse_loss(y, t) + 0.3 * ((w**2).sum() + (b**2).sum()), sgd(0.2)),
    "l1": ("squared_error(output, t) + 0.3 * l1(params)",
           lambda y, w, b: F.mse_loss(y, t) + 0.3 * (w.abs().sum() + b.abs().sum()), sgd(0.02)),
    "sgd": (*square, sgd(0.3)),
    "momentum": (*square, by_optimizer("momentum(lr = 0.2, beta = 0.8)",
                                       lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8))),
    "nesterov": (*square, by_optimizer(
        "nesterov(lr = 0.2, beta = 0.8)",
        lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.8, nesterov=True))),
    "adagrad": (*square, by_optimizer("adagrad(lr = 0.1)",
                                      lambda p: torch.optim.Adagrad(p, lr=0.1))),
    "rmsprop": (*square, by_optimizer("rmsprop(lr = 0.05, decay = 0.9)",
                                      lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9))),
    "adam": (*square, by_optimizer("adam(lr = 0.1)", lambda p: torch.optim.Adam(p, lr=0.1))),
    "adam with betas": (*square, by_optimizer(
        "adam(lr = 0.1, beta1 = 0.7, beta2 = 0.9, eps = 1e-3)",
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.7, 0.9), eps=1e-3))),
    "adamw": (*square, by_optimizer(
        "adamw(lr = 0.1, decay = 0.2)",
        lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.2))),
    "clip norm": (*square, by_optimizer("sgd(lr = 0.5); clip norm 0.4",
                                        lambda p: torch.optim.SGD(p, lr=0.5),
                                        lambda p: torch.nn.utils.clip_grad_norm_(p, 0.4))),
    "clip value": (*square, by_optimizer("sgd(lr = 0.5); clip value 0.2",
                                         lambda p: torch.optim.SGD(p, lr=0.5),
                                         lambda p: torch.nn.utils.clip_grad_value_(p, 0.2))),
    "groups": (*square, by_optimizer(
        "sgd(lr = 0.5) for w; optimizer momentum(lr = 0.1, beta = 0.9) for b",
        lambda p: torch.optim.SGD([dict(params=p[:1], lr=0.5), dict(params=p[1:], lr=0.1, momentum=0.9)],
                                  lr=1))),
    "inverse_decay": (*square, by_schedule("inverse_decay(0.5, epoch, rate = 0.3)",
                                           lambda s, e: 0.5 / (1 + 0.3 * e))),
    "step_decay": (*square, by_schedule("step_decay(0.5, epoch, every = 2, by = 0.5)",
                                        lambda s, e: 0.5 * 0.5 ** (e // 2))),
    "exponential_decay": (*square, by_schedule("exponential_decay(0.5, epoch, by = 0.8)",
                                               lambda s, e: 0.5 * 0.8 ** e)),
    "sqrt_decay": (*square, by_schedule("sqrt_decay(0.5, epoch)",
                                        lambda s, e: 0.5 / math.sqrt(1 + e))),
    "cosine_decay": (*square, by_schedule(
        "cosine_decay(0.5, step, steps, low = 0.1)",
        lambda s, e: 0.1 + 0.4 * 0.5 * (1 + math.cos(math.pi * s / STEPS)))),
    "warmup": (*square, by_schedule("warmup(0.5, step, over = 4)",
                                    lambda s, e: 0.5 * min(s / 4, 1))),
    "cyclic": (*square, by_schedule("cyclic(0.1, 0.5, step, period = 4)",
                                    lambda s, e: [0.1, 0.3, 0.5, 0.3][s % 4])),
}

print("# name\tloss\toptimizer\tthe losses of %d steps; made by library.py" % STEPS)
for name, (text, loss_of, (optimizer, make, rate, clip)) in cases.items():
    w = torch.ones(3, requires_grad=True)
    b = torch.zeros(3, requires_grad=True)
    opt = make([w, b])
    losses = []
    for step in range(1, STEPS + 1):
        if rate:
            for group in opt.param_groups:
                group["lr"] = rate(step, step - 1)
        opt.zero_grad()
        penalized = loss_of.__code__.co_argcount == 3
        loss = loss_of(z * w + b, w, b) if penalized else loss_of(z * w + b)
        loss.backward()
        if clip:
            clip([w, b])
        opt.step()
        losses.append("%.10g" % loss.item())
    print("\t".join([name, text, optimizer, *losses]))
