"""The perplexity of examples/ngram.nn on held-out text, computed with dictionaries: ngram.py TEXT"""
import math
import sys
from collections import Counter, defaultdict

text = open(sys.argv[1]).read()
end = int(0.9 * len(text) + 0.5)
train, valid, SYMBOLS = text[:end], text[end:], 96
counts = [defaultdict(Counter) for _ in range(3)]  # by the context's length
for i in range(2, len(train)):
    for n in range(3):
        counts[n][train[i - n:i]][train[i]] += 1


def chance(context, c):
    if context is None:
        return 1 / SYMBOLS
    seen, shorter = counts[len(context)][context], context[1:] if context else None
    if not seen:
        return chance(shorter, c)
    return (seen[c] + len(seen) * chance(shorter, c)) / (sum(seen.values()) + len(seen))


places = range(2, len(valid))
print(math.exp(-sum(math.log(chance(valid[i - 2:i], valid[i])) for i in places) / len(places)))
