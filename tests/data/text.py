"""What a program sees of a text, computed apart from it: vocabulary, splits, windows, their order.

text.py TEXT CHECKPOINT [unit=words] [places=5] [every=5] [random=1] [stream=1] [min=2] [lowercase=1]
prints what differs, or nothing. text.py --valid ... prints the mean of a + classes * b over the
validation windows; text.py --rows ... the same of each window of TEXT, by the checkpoint's words.
"""
import json
import re
import struct
import sys

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
BATCH, EPOCHS, SEED = 3, 3, 1


def mix(z):
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


class Rng:  # runtime/rng.c
    def __init__(self, seed, stream):
        self.state = mix(mix((seed + GOLDEN) & MASK) ^ ((stream + 1) * GOLDEN & MASK))

    def next(self):
        self.state = (self.state + GOLDEN) & MASK
        return mix(self.state)

    def below(self, n):
        least = (1 << 64) % n
        while True:
            product = self.next() * n
            if product & MASK >= least:
                return product >> 64


def permutation(n, seed, stream):
    r, order = Rng(seed, stream), list(range(n))
    for i in range(n - 1, 0, -1):
        j = r.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def checkpoint(path):
    data = open(path, 'rb').read()
    n = struct.unpack('<Q', data[:8])[0]
    head = json.loads(data[8:8 + n])
    begin, end = head['seen']['data_offsets']
    count = (end - begin) // 4
    return head, struct.unpack('<%df' % count, data[8 + n + begin:8 + n + end])


def cut(text, unit):
    if unit == 'characters':
        return list(text)
    letter = "[a-zA-Z0-9\x80-\U0010ffff]"
    return re.findall("%s(?:%s|'(?=%s))*|[^ \t\n\v\f\r]" % (letter, letter, letter), text)


def units(path, o):
    data = open(path, 'rb').read()
    if o['unit'] == 'bytes':
        return list(data)
    text = data.decode()
    if o['lowercase']:
        text = re.sub('[A-Z]', lambda m: m.group().lower(), text)
    return cut(text, o['unit'])


def vocabulary(all_units, train, o):
    counts = {}
    for u in train:
        counts[u] = counts.get(u, 0) + 1
    ranked = sorted(set(all_units), key=lambda u: (-counts.get(u, 0), u.encode()))
    if o['unit'] == 'words' or o['min']:
        kept = [u for u in ranked if counts.get(u, 0) >= max(o['min'], 1)]
        return ['<unknown>'] + kept[:o['classes'] - 1]
    return ranked


def classes_of(all_units, words, o):
    if o['unit'] == 'bytes':
        return all_units
    place = {w: i for i, w in enumerate(words)}
    return [place.get(u, 0) for u in all_units]


def count(n, o):
    reach = o['places'] + 1
    return 0 if n < reach else (n - reach) // o['every'] + 1


def rows(begin, end, o, epoch):
    """The places of an epoch's windows, in order."""
    n, every = count(end - begin, o), o['every']
    if o['stream']:
        parts = min(BATCH, n)
        length = n // parts
        return [begin + (r * length + k) * every for k in range(length) for r in range(parts)]
    if epoch is None:
        return [begin + i * every for i in range(n)]
    first = begin
    if o['random']:
        n = max(1, count(end - begin - (every - 1), o))
        rest = end - begin - (o['places'] + 1) - (n - 1) * every
        first += Rng(SEED, ~epoch & MASK).below(min(rest, every - 1) + 1)
    return [first + i * every for i in permutation(n, SEED, epoch)]


def main():
    args = [a for a in sys.argv[1:] if '=' not in a]
    o = dict(unit='characters', places=5, every=0, random=0, stream=0, min=0, lowercase=0, classes=60)
    for a in sys.argv[1:]:
        if '=' in a:
            key, value = a.split('=')
            o[key] = value if key == 'unit' else int(value)
    o['every'] = o['every'] or o['places']
    mode = args.pop(0) if args[0].startswith('--') else ''
    text, (head, seen) = units(args[0], o), checkpoint(args[1])
    kept = json.loads(head['__metadata__'].get('words.a', '[]'))
    end = int(0.7 * len(text) + 0.5)
    words = kept if mode == '--rows' or o['unit'] == 'bytes' else vocabulary(text, text[:end], o)
    tokens = classes_of(text, words, o)
    T, factor = o['places'], o['classes']
    joined = [[tokens[p + t] + factor * tokens[p + t + 1] for t in range(T)]
              for p in rows(*((0, len(text)) if mode == '--rows' else (end, len(text))),
                            dict(o, stream=0) if mode == '--rows' else o, None)]
    if mode == '--rows':
        for row in joined:
            print(*row, sep=',')
        return
    if mode == '--valid':
        print(sum(map(sum, joined)) / len(joined) / T)
        return
    if o['unit'] != 'bytes' and words != kept:
        print('words', kept, 'expected', words)
    at = 0
    for epoch in range(EPOCHS):
        order = rows(0, end, o, epoch)
        for b in range(0, len(order), BATCH):
            for w in range(2):
                for n, p in enumerate(order[b:b + BATCH]):
                    want = tokens[p + w:p + w + T]
                    place = ((w * 60 + at) * 3 + n) * T
                    got = [int(x) for x in seen[place:place + T]]
                    if got != want:
                        print('epoch', epoch, 'batch', b // BATCH, 'row', n, got, 'expected', want)
                        return
            at += 1
    if 2 * 60 * 3 * T != len(seen) or seen[(at * 3) * T] != -1:
        print('other number of batches than', at)


if __name__ == "__main__":
    main()
