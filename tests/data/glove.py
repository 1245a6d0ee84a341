"""examples/glove.nn against NumPy: co-occurrence, the losses of its steps, nearest neighbours.

glove.py TEXT FOLDER LOG PREDICTED: FOLDER has step-1 and later checkpoints, LOG the loss of each step.
Prints what differs, or nothing.
"""
import csv
import json
import struct
import sys

import numpy as np

sys.path.insert(0, __file__.rsplit('/', 1)[0])
from text import cut  # noqa: E402

text, folder, log, predicted = sys.argv[1:]
REACH, MOST, POWER, LR = 8, 100, 0.75, 0.05


def checkpoint(step):
    data = open('%s/step-%d.safetensors' % (folder, step), 'rb').read()
    n = struct.unpack('<Q', data[:8])[0]
    head = json.loads(data[8:8 + n])
    meta = head.pop('__metadata__')
    read = lambda t: np.frombuffer(data, '<f4', offset=8 + n + t['data_offsets'][0],
                                   count=int(np.prod(t['shape']))).reshape(t['shape']).astype(float)
    return meta, {name: read(t) for name, t in head.items()}


meta, first = checkpoint(1)
words = json.loads(meta['words.word'])
place = {w: i for i, w in enumerate(words)}
ids = np.array([place.get(w, 0) for w in cut(open(text).read().lower(), 'words')])

x = np.zeros((len(words), len(words)))
rows = len(ids) - REACH
for d in range(1, REACH + 1):
    np.add.at(x, (ids[:rows], ids[d:rows + d]), 1 / d)
x = x + x.T
if np.abs(x - first['x']).max() > 1e-5 * x.max():
    print('co-occurrence differs by', np.abs(x - first['x']).max())

weight = np.where(x > 0, np.minimum((x / MOST) ** POWER, 1), 0)
logs = np.log(np.where(x > 0, x, 1))
p = {k: first[k] for k in ('u', 'v', 'a', 'b')}
s = {k: first['adagrad#1.s.' + k] for k in p}
losses = {}
for line in open(log):
    line = json.loads(line)
    if line['split'] == 'step':
        losses[line['step']] = line['loss']
for step in range(2, max(losses) + 1):
    error = p['u'] @ p['v'].T + p['a'][:, None] + p['b'] - logs
    loss, g = (weight * error ** 2).sum(), 2 * weight * error
    if abs(loss - losses[step]) > 1e-5 * loss:
        print('step', step, 'loss', losses[step], 'expected', loss)
    grads = {'u': g @ p['v'], 'v': g.T @ p['u'], 'a': g.sum(1), 'b': g.sum(0)}
    for k in p:
        s[k] = s[k] + grads[k] ** 2
        p[k] = p[k] - LR * grads[k] / (np.sqrt(s[k]) + 1e-10)
if len(losses) < 20:
    print('only', len(losses), 'steps')

e = p['u'] + p['v']
e = e - e.mean(0)
e /= np.linalg.norm(e, axis=1, keepdims=True)
near = e @ e.T
for row in list(csv.reader(open(predicted)))[1:]:
    i = place[row[0]]
    others = [j for j in np.argsort(-near[i], kind='stable') if j not in (0, i)][:8]
    got = [place[w] for w in row[1:]]
    if np.abs(near[i][got] - near[i][others]).max() > 1e-4:
        print(row, 'expected', [words[j] for j in others])
