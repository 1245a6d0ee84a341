#!/usr/bin/env python3
# Makes tests/data/arrays with NumPy: files as NumPy writes them, and what they hold as CSV.
# /usr/bin/python3 tests/data/arrays.py, from the project's folder; the results are committed.
import json
import os
import struct

import numpy as np

folder = 'tests/data/arrays'
os.makedirs(folder + '/parts/train', exist_ok=True)
os.makedirs(folder + '/parts/test', exist_ok=True)
random = np.random.RandomState(7)
n = 7
x = (random.randn(n, 3, 2) * 3).astype('f4')
y = random.randint(0, 4, n)


def table(name, a):
    a = np.asarray(a, 'f8').reshape(len(a), -1)
    with open(folder + '/' + name, 'w') as f:
        f.write(','.join('output.%d' % i for i in range(a.shape[1])) + '\n')
        for row in a:
            f.write(','.join('%.9g' % np.float32(v) for v in row) + '\n')


def tensors(path, arrays):
    names = {'f4': 'F32', 'i8': 'I64', 'f2': 'F16'}
    header, data = {}, b''
    for name, a in arrays.items():
        begin = len(data)
        data += a.tobytes()
        header[name] = {'dtype': names[a.dtype.str[1:]], 'shape': list(a.shape),
                        'data_offsets': [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


for t in 'b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8'.split():
    a = (x if t[0] in 'fi' else abs(x)).astype(t)
    np.save('%s/%s.npy' % (folder, t), a)
    table(t + '.csv', a)
np.save(folder + '/flat.npy', x.reshape(n, 6))
np.save(folder + '/fortran.npy', np.asfortranarray(x))
np.save(folder + '/big_endian.npy', x.astype('>f4'))
np.save(folder + '/text.npy', np.array(['a', 'bc']))
np.save(folder + '/scalar.npy', np.float32(1))
np.save(folder + '/turned.npy', x.transpose(0, 2, 1).copy())
np.save(folder + '/nan.npy', np.where(x == x[4, 1, 0], np.nan, x))
np.savez(folder + '/stored.npz', x=x, y=y)
np.savez_compressed(folder + '/deflated.npz', x=np.tile(x, (40, 1, 1)), y=np.tile(y, 40))
tensors(folder + '/tensors.safetensors', {'x': x, 'y': y})
for part, k in (('train', slice(0, 5)), ('test', slice(5, n))):
    np.save('%s/parts/%s/x.npy' % (folder, part), x[k])
    np.save('%s/parts/%s/y.npy' % (folder, part), y[k].astype('u1'))
with open(folder + '/figures', 'w') as f:
    f.write('loss %.4g, label %.4g\n' % (x.astype('f8').mean(), y.mean()))
    f.write('loss %.4g, label %.4g\n' % (x[5:].astype('f8').mean(), y[5:].mean()))
