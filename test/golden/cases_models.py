"""models.json: torchvision's networks (Debian's python3-torchvision), and a ResNet-20 of torchvision's blocks.

{kind: "keys", model, count, ends: [first, last], sha256: of "key [shape]" lines}
{kind: "init", model, options, seed, sha256: of all values of the state dict after manualSeed(seed), next: rand(3) after that}
{kind: "numbers", model, hidden, seed, shift, image, targets, logits, loss, running, grads, largest, after}
  hidden: width of the hidden layers that replace VGG's, so that the test is quick. The state is filled as `fill` below does. logits are those in
  evaluation, then one step of SGD(lr=0.1) on the cross entropy in training mode, without dropout: its loss, and of some tensors up to 32 elements evenly spread: running statistics, gradients (with the largest of the whole tensor), parameters after the step.
"""

import copy
import hashlib
import math

import torch
import torchvision
from torch import nn

from encode import drawn, encode

SEED = 1234


def cases():
    return list(matrix())


def matrix():
    for name in ("resnet18", "resnet34", "resnet50", "vgg11_bn", "vgg16_bn", "mobilenet_v2", "densenet121", "resnet20"):
        yield names_and_shapes(name)
    for name, kwargs in (
        ("resnet18", {"num_classes": 7}),
        ("mobilenet_v2", {"num_classes": 7}),
        ("densenet121", {"num_classes": 7}),
        ("resnet20", {}),
        ("resnet20", {"zero_init_residual": True}),
    ):
        yield initial(name, kwargs)
    for name, side, batch in (
        ("resnet18", 64, 4), ("resnet34", 64, 2), ("resnet50", 64, 4), ("vgg11_bn", 32, 4), ("vgg16_bn", 32, 4),
        ("mobilenet_v2", 64, 4), ("densenet121", 64, 4), ("resnet20", 32, 4),
    ):  # fmt: skip
        yield numbers(name, side, batch)


def build(name, **kwargs):
    return resnet20(**kwargs) if name == "resnet20" else getattr(torchvision.models, name)(**kwargs)


def resnet20(num_classes=10, zero_init_residual=False):
    """He et al. 2016, section 4.2, with torchvision's block and names."""
    from torchvision.models.resnet import BasicBlock, ResNet

    class CifarResNet(ResNet):
        def __init__(self):
            nn.Module.__init__(self)
            self._norm_layer = nn.BatchNorm2d
            self.inplanes, self.dilation, self.groups, self.base_width = 16, 1, 1, 64
            self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            self.relu = nn.ReLU()
            self.layer1 = self._make_layer(BasicBlock, 16, 3)
            self.layer2 = self._make_layer(BasicBlock, 32, 3, stride=2)
            self.layer3 = self._make_layer(BasicBlock, 64, 3, stride=2)
            self.avgpool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(64, num_classes)
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                elif isinstance(m, BasicBlock) and zero_init_residual:
                    nn.init.zeros_(m.bn2.weight)

        def forward(self, x):
            x = self.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.fc(torch.flatten(self.avgpool(x), 1))

    return CifarResNet()


OURS = {"vgg11_bn": "vgg11Bn", "vgg16_bn": "vgg16Bn", "mobilenet_v2": "mobilenetV2"}


def names_and_shapes(name):
    model = build(name)
    listing = "\n".join(f"{k} {list(v.shape)}".replace(" ", "") for k, v in model.state_dict().items())
    keys = list(model.state_dict())
    return {
        "name": f"{name}: keys and shapes",
        "kind": "keys",
        "model": OURS.get(name, name),
        "count": len(keys),
        "ends": [keys[0], keys[-1]],
        "sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def initial(name, kwargs):
    torch.manual_seed(SEED)
    model = build(name, **kwargs)
    values = b"".join(v.numpy().tobytes() for k, v in model.state_dict().items())
    return {
        "name": f"{name} {kwargs}: initial values",
        "kind": "init",
        "model": OURS.get(name, name),
        "options": {camel(k): v for k, v in kwargs.items()},
        "seed": SEED,
        "sha256": hashlib.sha256(values).hexdigest(),
        "next": encode(torch.rand(3)),
    }


def fill(model, seed, shift):
    """Random parameters and statistics: uniform numbers from one generator, in the order of the state dict."""
    rng = torch.Generator().manual_seed(seed)
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            value.fill_(3)
        elif value.ndim > 1:
            bound = math.sqrt(6 / value[0].numel())
            value.uniform_(-bound, bound, generator=rng)
        elif key.endswith("weight"):
            value.uniform_(0.15, 0.45, generator=rng)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5, generator=rng)
        elif key.endswith("running_mean"):
            value.uniform_(-0.2, 0.2, generator=rng)
        else:
            value.uniform_(shift, shift + 1, generator=rng)


def few(t):
    flat = t.detach().reshape(-1)
    return flat[:: max(1, flat.numel() // 32)][:32]


def candidates(model):
    """Some of the first, middle and last weights and normalizations."""
    norms = [k.removesuffix(".running_mean") for k, _ in model.named_buffers() if k.endswith("running_mean")]
    weights = [k for k, v in model.named_parameters() if v.ndim > 1]
    pick = lambda keys: [keys[0], keys[len(keys) // 2], keys[-1]]
    return pick(norms), [*pick(weights), *(f"{n}.{p}" for n in pick(norms) for p in ("weight", "bias"))]


def one_step(model, image, targets):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = nn.functional.cross_entropy(model.train()(image), torch.tensor(targets))
    loss.backward()
    optimizer.step()
    return loss.item(), {k: p.grad for k, p in model.named_parameters()}


def numbers(name, side, batch):
    # DenseNet has the most layers: a larger β keeps more of their inputs away from 0.
    shift = 0.5 if name == "densenet121" else 0.0
    hidden = 32 if name.startswith("vgg") else None
    image, written = drawn((batch, 3, side, side), SEED + 1)
    targets = [i % 7 for i in range(batch)]
    # A ReLU at 0 to within rounding falls to either side, and moves the gradients of all layers below by far more than the limit. Such a
    # network tests nothing: take one in which PyTorch's own float32 gradients are those of float64, and hardly move with the image.
    for seed in range(1, 200):
        model = build(name, num_classes=7)
        if hidden:
            model.classifier[0] = nn.Linear(512 * 7 * 7, hidden)
            model.classifier[3] = nn.Linear(hidden, hidden)
            model.classifier[6] = nn.Linear(hidden, 7)
        fill(model, seed, shift)
        norms, looked = candidates(model)
        with torch.no_grad():
            logits = model.eval()(image)
        for m in model.modules():
            if isinstance(m, nn.Dropout):
                m.p = 0.0
        double = copy.deepcopy(model).double()
        nudged = copy.deepcopy(double)
        exact = one_step(double, image.double(), targets)[1]
        near = one_step(nudged, image.double() + 3e-6 * drawn(image.shape, 7, dtype=torch.float64)[0], targets)[1]
        largest = max(g.abs().max() for g in exact.values())
        loss, grads = one_step(model, image, targets)
        # What a normalization further on cancels has hardly a gradient but noise.
        looked = [k for k in looked if exact[k].abs().max() > 5e-3 * largest]
        error = max(((g[k] - exact[k]).abs().max() / exact[k].abs().max()).item() for k in looked for g in (grads, near))
        print(name, "seed", seed, "looked", len(looked), "error", error)
        if error < 5e-5:
            break
    buffers = dict(model.named_buffers())
    params = dict(model.named_parameters())
    return {
        "name": f"{name} on {list(image.shape)}",
        "kind": "numbers",
        "model": OURS.get(name, name),
        "hidden": hidden,
        "seed": seed,
        "shift": shift,
        "image": written,
        "targets": targets,
        "logits": encode(logits),
        "loss": loss,
        "running": {f"{n}.{b}": encode(few(buffers[f"{n}.{b}"])) for n in norms for b in ("running_mean", "running_var")},
        "grads": {k: encode(few(grads[k])) for k in looked},
        # Differences are compared to the largest gradient of the whole tensor.
        "largest": {k: grads[k].abs().max().item() for k in looked},
        "after": {k: encode(few(params[k])) for k in looked},
    }
