"""Writes pig_latin.tsv: the different words of texts, each with its pig Latin.

    python3 pig_latin.py TEXT... > pig_latin.tsv

A word that begins with a vowel gets "way" behind it; of others the consonants in front, "qu" among
them, move to the end, and "ay" follows. y is a vowel but at the beginning.
"""
import re
import sys


def pig_latin(word):
    if word[0] in 'aeiou':
        return word + 'way'
    front = re.match('(?:qu|[^aeiouy]qu|[^aeiou])(?:qu|[^aeiouy])*', word).group()
    return word[len(front):] + front + 'ay'


def main():
    words = set()
    for path in sys.argv[1:]:
        words.update(re.findall("(?<![A-Za-z'])[A-Za-z]+(?![A-Za-z'])", open(path).read()))
    words = {w.lower() for w in words}
    for word in sorted(words):
        if 2 <= len(word) <= 14 and re.search('[aeiouy]', word):
            print(word, pig_latin(word), sep='\t')


main()
