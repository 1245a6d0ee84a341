"""What tests/torch/reference.py writes: families of cases, each a program and its figures."""
import json
import os
import struct

import numpy
import torch

torch.set_default_dtype(torch.float64)
HERE = os.path.dirname(os.path.abspath(__file__))
families = {}


def fill(name, shape, scale=1):
    """The formula of torch.c: from -2 to 2 in steps of 1/256, times the scale."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    n = int(numpy.prod(shape, dtype=int))
    x = ((numpy.arange(n) * 389 + seed % 1021) % 1021 - 510) / 256 * scale
    return torch.tensor(x.reshape(shape), requires_grad=True)


class Family:
    def __init__(self, name, scale=1):
        self.name, self.scale, self.layers, self.figures = name, scale, [], {}
        if scale != 1:
            self.figures['scale'] = torch.tensor([float(scale)])
        families[name] = self

    def case(self, name, body, shapes, value):
        """body: statements, the last an expression; shapes: of all parameters, those of the
        layer itself without a dot; value: of these parameters, in order."""
        name = 'case_' + name
        param = {local: fill(f'{name}#1.{local}', shape, self.scale) for local, shape in shapes.items()}
        y = value(*param.values())
        g = fill(f'{name}#1.check#1.g', tuple(y.shape), self.scale)
        (y * g).sum().backward()
        for local, p in param.items():
            grad = torch.zeros_like(p) if p.grad is None else p.grad
            self.figures[f'{name}#1.{local}'] = grad
        self.figures[f'{name}#1.check#1.g'] = y.detach()
        *lines, last = body.split('\n')
        own = [f'param {local}: {list(shape)} = 0' for local, shape in shapes.items()
               if '.' not in local]
        lines = own + [line.strip() for line in lines] + [f'return one * check()({last.strip()})']
        self.layers.append((name, lines))

    def program(self):
        out = ['# Made by tests/torch/reference.py: what each case gives is held against PyTorch.',
               'data none {', '    from csv("none.csv")', '    x: [1] = column(x)',
               '    split train 100%', '}',
               '# The gradient by g is y.',
               'layer check()(y: [...]) -> [] {', '    param g: [...] = 0',
               '    return sum[...] y[...] * g[...]', '}']
        for name, lines in self.layers:
            out += [f'layer {name}()(one) {{'] + ['    ' + line for line in lines] + ['}']
        out += ['model m(x: [batch, 1]) -> [] {', '    s = 0']
        out += [f'    s = s + {name}()(1)' for name, _ in self.layers]
        out += ['    return s', '}', 'train m on none {', '    loss      output',
                '    optimizer sgd(lr = 0.1)', '    batch     1', '    epochs    1', '}', '']
        return '\n'.join(out)

    def write(self):
        path = os.path.join(HERE, self.name)
        if self.layers:
            with open(path + '.nn', 'w') as f:
                f.write(self.program())
        header, data = {}, b''
        for name, x in self.figures.items():
            raw = x.detach().numpy().astype('<f4').tobytes()
            header[name] = {'dtype': 'F32', 'shape': list(x.shape),
                            'data_offsets': [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header, separators=(',', ':')).encode()
        text += b' ' * (-len(text) % 8)
        with open(path + '.safetensors', 'wb') as f:
            f.write(struct.pack('<Q', len(text)) + text + data)
        print(f'{self.name}: {len(self.layers)} cases, {len(data)} bytes')


class Training(Family):
    """One parameter w_NAME for each optimizer, whose loss is sum(sin(2 w) + w^2 / 2)."""
    STEPS, EPOCHS = 20, 4

    def follow(self, name, text, step):
        """step(w, g, t, epoch): what becomes of w in step t, from 1."""
        w = fill(f'w_{name}', (3, 5))
        for t in range(1, self.STEPS + 1):
            g, = torch.autograd.grad((torch.sin(2 * w) + w**2 / 2).sum(), w)
            step(w, g, t, (t - 1) * self.EPOCHS // self.STEPS)
            if t in (1, 2, 7, 20):
                self.figures[f'w_{name}@{t}'] = w.detach().clone()
        self.layers.append((name, text))

    def torch(self, name, text, make, schedule=None, every_step=False):
        """The same with PyTorch's optimizer and schedule."""
        state = {}

        def step(w, g, t, epoch):
            if not state:
                state['opt'] = make([w])
                state['schedule'] = schedule and schedule(state['opt'])
                state['epoch'] = 0
            ahead = t if every_step else epoch
            while schedule and state['epoch'] < ahead:
                state['epoch'] += 1
                state['schedule'].step()
            w.grad = g
            state['opt'].step()

        self.follow(name, text, step)

    def own(self, name, text, update):
        """update(w, g, t, state) gives the next w."""
        state = {}

        def step(w, g, t, epoch):
            w.data = update(w.data, g, t, state)

        self.follow(name, text, step)

    def program(self):
        out = ['# Made by tests/torch/reference.py: twenty steps are held against PyTorch.',
               'data none {', '    from csv("none.csv")', '    x: [1] = column(x)',
               '    split train 100%', '}', 'fn f(w: [...]) = sum[...] (sin(2 * w[...]) + w[...]^2 / 2)',
               'model m(x: [batch, 1]) -> [] {', '    s = 0']
        for name, _ in self.layers:
            out += [f'    param w_{name}: [3, 5] = 0', f'    s = s + f(w_{name})']
        out += ['    return s', '}', 'train m on none {', '    loss      output']
        out += [f'    optimizer {text} for w_{name}' for name, text in self.layers]
        out += ['    batch     1', f'    epochs    {self.EPOCHS}', '}', '']
        return '\n'.join(out)


class Running(Family):
    """States after steps of training that change no parameter, and the loss outside of it."""

    def program(self):
        return super().program().replace('sgd(lr = 0.1)', 'sgd(lr = 0)')
