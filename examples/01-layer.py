"""The PyTorch half of 01-layer.ts, line by line.

    python3 examples/01-layer.py
"""

import torch
from torch import nn


def title(text):
    print(f"\n── {text}")


def show(name, value):
    print(name, value, sep="\n" if isinstance(value, torch.Tensor) and value.ndim else " ")


def first_feature(y):
    """Mean and biased standard deviation of the first feature: the biased one is what a batch is divided by."""
    feature = y[:, 0]
    mean = feature.mean().item()
    deviation = feature.std(unbiased=False).item()
    return f"mean {0 if abs(mean) < 5e-5 else mean:.4f}, standard deviation {deviation:.4f}"


torch.manual_seed(0)
x = torch.randn(100, 16) + 0.5

title("100 samples of 16 features, drawn around 0.5 with variance 1, and a new layer")
layer = nn.BatchNorm1d(16)
print(layer)
show("running_mean", layer.running_mean)
show("running_var", layer.running_var)
show("num_batches_tracked", layer.num_batches_tracked)

title("training: the batch's own mean and variance normalize it; the running ones go a tenth of the way there")
y = layer(x)
print(f"first feature, in:  {first_feature(x)}")
print(f"first feature, out: {first_feature(y)}")
show("running_mean", layer.running_mean)
show("running_var", layer.running_var)
show("num_batches_tracked", layer.num_batches_tracked)

title("evaluation: the running statistics normalize, and stay as they are")
layer.eval()
z = layer(x)
print(f"first feature, out: {first_feature(z)}")
show("num_batches_tracked", layer.num_batches_tracked)

title("after 100 batches the running mean has arrived at the batch's, and evaluation gives nearly what training gives")
layer.train()
for _ in range(99):
    layer(x)
show("mean of the batch", x.mean(dim=0))
show("running_mean", layer.running_mean)
show("num_batches_tracked", layer.num_batches_tracked)
layer.eval()
z = layer(x)
print(f"first feature, out: {first_feature(z)}")

title("gamma scales, beta shifts: they are learned, and start as 1 and 0")
show("weight (gamma)", layer.weight)
show("bias (beta)", layer.bias)
nn.init.constant_(layer.weight, 2)
nn.init.constant_(layer.bias, 3)
layer.train()
y = layer(x)
print(f"with gamma 2 and beta 3: {first_feature(y)}")

title("images: BatchNorm2d has one mean and one variance a channel, taken over all images and positions")
images = torch.rand(1, 16, 7, 7)
layer2d = nn.BatchNorm2d(16)
out = layer2d(images)
print(f"{list(images.shape)} in, {list(out.shape)} out")
show("first channel, in", images[0, 0])
show("first channel, out", out[0, 0].detach())
show("weight", layer2d.weight)
show("bias", layer2d.bias)
show("num_features", layer2d.num_features)
show("eps", layer2d.eps)
show("momentum", layer2d.momentum)
show("affine", layer2d.affine)
show("track_running_stats", layer2d.track_running_stats)
show("running_mean", layer2d.running_mean)
show("running_var", layer2d.running_var)
show("num_batches_tracked", layer2d.num_batches_tracked)
show("training", layer2d.training)

title("the samples of 16 features again, this time in BatchNorm2d")
try:
    layer2d(x)
except ValueError as error:
    print("ValueError:", error)
