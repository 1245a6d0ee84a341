#!/usr/bin/env python3
# Makes tests/data/images with Pillow: a small image folder in every form that PNG and JPEG have,
# and the pixels as Pillow reads them. /usr/bin/python3 tests/data/images.py, from the project's
# folder; the results are committed.
import os

import numpy as np
from PIL import Image

folder = 'tests/data/images'
random = np.random.RandomState(5)
h, w = 6, 5


def picture(k, channels):
    y, x = np.mgrid[0:h, 0:w]
    base = np.stack([40 * k + 20 * x, 25 * y + 10 * k, 200 - 15 * x - 10 * y], -1)
    a = np.clip(base + random.randint(-9, 9, base.shape), 0, 255).astype('u1')
    return a if channels == 3 else a[..., 0] if channels == 1 else np.dstack([a, 255 - a[..., :1]])


def save(path, image, **options):
    os.makedirs(os.path.dirname(folder + '/' + path), exist_ok=True)
    image.save(folder + '/' + path, **options)


save('train/bee/a.png', Image.fromarray(picture(0, 3)))
save('train/bee/b.PNG', Image.fromarray(picture(1, 1)))
save('train/bee/c.jpg', Image.fromarray(picture(2, 3)), quality=90)
save('train/ant/grey.jpeg', Image.fromarray(picture(3, 1)), quality=80)
save('train/ant/alpha.png', Image.fromarray(picture(1, 4)))
save('train/ant/palette.png', Image.fromarray(picture(2, 3)).quantize(16))
save('train/cat/progressive.jpg', Image.fromarray(picture(0, 3)), quality=70, progressive=True)
save('train/cat/bit.png', Image.fromarray(picture(2, 1)).convert('1'))
save('test/cat/a.png', Image.fromarray(picture(1, 3)))
save('test/ant/a.png', Image.fromarray(picture(0, 3)))
save('other/wide.png', Image.fromarray(np.zeros((h, 2 * w, 3), 'u1')))
save('other/cmyk.jpg', Image.fromarray(picture(0, 3)).convert('CMYK'))
with open(folder + '/notes.txt', 'w') as f:
    f.write('This is no image.\n')
for name, mode in (('rgb', 'RGB'), ('grey', 'L')):
    rows = []
    for c in ('ant', 'bee', 'cat'):
        for f in sorted(os.listdir('%s/train/%s' % (folder, c))):
            image = Image.open('%s/train/%s/%s' % (folder, c, f))
            if image.format == 'JPEG':
                image.draft(mode, image.size)  # grey as libjpeg gives it, not by way of RGB
            if image.mode == 'RGBA':
                image = Image.fromarray(np.asarray(image)[..., :3])
            rows.append(np.asarray(image.convert('RGB').convert(mode) if image.mode == 'P'
                                   else image.convert(mode)).reshape(-1))
    with open('%s/%s.csv' % (folder, name), 'w') as out:
        out.write(','.join('output.%d' % i for i in range(len(rows[0]))) + '\n')
        for r in rows:
            out.write(','.join('%d' % v for v in r) + '\n')
