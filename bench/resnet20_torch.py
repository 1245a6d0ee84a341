"""The learning curve of ResNet-20 on CIFAR-10 by PyTorch, the peer of examples/resnet20.nn.

    python3 bench/resnet20_torch.py FOLDER EPOCHS SEED > curve.tsv

FOLDER holds train/<class>/*.jpg and test/<class>/*.jpg. He et al. 2016, section 4.2: option A
shortcuts, SGD lr 0.1, momentum 0.9, weight decay 1e-4, batches of 128; flips and crops of 4 pixels
of padding. 45,000 of the training images, each channel standardized. Each line: epoch, mean
training loss, accuracy on the test images.
"""
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

MEAN = np.array([0.4914, 0.4822, 0.4465], np.float32)
DEVIATION = np.array([0.2470, 0.2435, 0.2616], np.float32)


def images(folder):
    x, y = [], []
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            x.append(np.asarray(Image.open(os.path.join(folder, name, file)).convert("RGB")))
            y.append(label)
    x = (np.stack(x).astype(np.float32) / 255 - MEAN) / DEVIATION
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.tensor(y)


class Block(nn.Module):
    def __init__(self, c, filters, stride):
        super().__init__()
        self.c1 = nn.Conv2d(c, filters, 3, stride, 1, bias=False)
        self.c2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.n1, self.n2 = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters)
        self.stride, self.more = stride, (filters - c) // 2

    def forward(self, x):
        y = self.n2(self.c2(F.relu(self.n1(self.c1(x)))))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more))
        return F.relu(x + y)


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    c = 16
    for filters in (16, 32, 64):
        for i in range(3):
            layers.append(Block(c, filters, 2 if i == 0 and filters > c else 1))
            c = filters
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight)
    return model


def augmented(x):
    out = torch.empty_like(x)
    padded = F.pad(x, (4, 4, 4, 4))
    at = torch.randint(9, (len(x), 2)).tolist()
    flip = (torch.rand(len(x)) < 0.5).tolist()
    for n, (i, j) in enumerate(at):
        part = padded[n, :, i:i + 32, j:j + 32]
        out[n] = part.flip(2) if flip[n] else part
    return out


def main(folder, epochs, seed):
    torch.manual_seed(seed)
    x, y = images(os.path.join(folder, "train"))
    test_x, test_y = images(os.path.join(folder, "test"))
    kept = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))[:45000]
    x, y = x[kept], y[kept]
    model = resnet20().to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    for epoch in range(epochs):
        model.train()
        total = 0
        for part in torch.randperm(len(x)).split(128):
            loss = F.cross_entropy(model(augmented(x[part])), y[part])
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            total += loss.item() * len(part)
        model.eval()
        with torch.no_grad():
            right = sum((model(test_x[i:i + 500]).argmax(1) == test_y[i:i + 500]).sum().item()
                        for i in range(0, len(test_x), 500))
        print(f"{epoch + 1}\t{total / len(x):.4f}\t{right / len(test_x):.4f}", flush=True)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
