"""What a program sees of pairs, computed apart from it.

pairs.py FILE [unit=words] [min=2] prints, for each pair, the row that tests/data/pairs.nn predicts,
by the vocabularies of the train split; pairs.py --words ... those vocabularies.
"""
import json
import sys

sys.path.insert(0, __file__.rsplit('/', 1)[0])
from text import cut, permutation  # noqa: E402


def vocabulary(sequences, rows, o):
    counts = {}
    for i in rows:
        for u in sequences[i]:
            counts[u] = counts.get(u, 0) + 1
    everything = set(u for s in sequences for u in s)
    ranked = sorted(everything, key=lambda u: (-counts.get(u, 0), u.encode()))
    marks = ['<padding>', '<start>', '<end>']
    if o['unit'] == 'words' or o['min']:
        ranked = [u for u in ranked if counts.get(u, 0) >= max(o['min'], 1)]
        return (marks + ['<unknown>'] + ranked)[:40]
    return marks + ranked


def main():
    o = dict(unit='characters', min=0)
    for a in sys.argv[1:]:
        if '=' in a:
            key, value = a.split('=')
            o[key] = value if key == 'unit' else int(value)
    path = [a for a in sys.argv[1:] if '=' not in a and a[0] != '-'][0]
    lines = [x.rstrip('\r') for x in open(path, encoding='utf-8', newline='\n').read().split('\n')]
    pairs = [line.split('\t') for line in lines if line]
    train = permutation(len(pairs), 1, 0)[:int(0.6 * len(pairs) + 0.5)]
    sides = [[cut(p[i], o['unit']) for p in pairs] for i in range(2)]
    words = [vocabulary(s, train, o) for s in sides]
    if '--words' in sys.argv:
        print(json.dumps(words))
        return
    for source, target in zip(*sides):
        row = []
        for side, sequence, shift, n in ((0, source, 0, 7), (1, target, 0, 9), (1, target, -1, 9), (1, target, 4, 5)):
            place = {w: i for i, w in enumerate(words[side])}
            whole = [1] + [place.get(u, 3) for u in sequence] + [2] + [0] * 40
            row += whole[1 + shift:1 + shift + n]
        print(*row, len(source) + 1, len(target) + 1, sep=',')


if __name__ == "__main__":
    main()
