"""tools.json: fusion, update_bn and resizing.

{kind: "fuse", layer, args, options, bn, seed, weight, bias}: weight and bias of the fused layer. Weight and bias of the layer and of the norm and its running_mean are drawn
  with normal_, then running_var with uniform_(0.5, 1.5), from one generator with the seed.
{kind: "update", batches, mean, var, count, trueMean, trueVar}: manualSeed(0), a Linear(3, 2) and a BatchNorm1d(2); statistics after update_bn, and those of all values together
{kind: "resize", input, size, antialias, output}
"""

import torch
import torchvision.transforms.functional as TF
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.optim.swa_utils import update_bn

from encode import encode, options


def cases():
    return [*fusion(), *updates(), *resizing()]


def fusion():
    for layer, args, kwargs, bn in (
        ("Conv2d", [3, 4, 3], {"bias": False}, {}),
        ("Conv2d", [4, 6, 3], {"stride": 2, "padding": 1, "groups": 2}, {"eps": 1e-3}),
        ("Conv2d", [3, 4, 1], {"dilation": 2}, {"affine": False}),
        ("Conv1d", [3, 4, 3], {"padding": "same"}, {}),
        ("Linear", [3, 5], {}, {}),
        ("Linear", [3, 5], {"bias": False}, {"eps": 1e-3}),
    ):
        seed = 77
        rng = torch.Generator().manual_seed(seed)
        first = getattr(nn, layer)(*args, **kwargs).eval()
        norm = (nn.BatchNorm2d if layer == "Conv2d" else nn.BatchNorm1d)(args[1], **bn).eval()
        with torch.no_grad():
            for p in [*first.parameters(), *norm.parameters(), norm.running_mean]:
                p.normal_(generator=rng)
            norm.running_var.uniform_(0.5, 1.5, generator=rng)
        fused = (fuse_linear_bn_eval if layer == "Linear" else fuse_conv_bn_eval)(first, norm)
        yield {
            "name": f"{layer}({args}, {kwargs}) and a batch norm {bn}",
            "kind": "fuse",
            "layer": layer,
            "args": args,
            "options": options(kwargs),
            "bn": options(bn),
            "seed": seed,
            "weight": encode(fused.weight),
            "bias": encode(fused.bias),
        }


def updates():
    for sizes in ((10, 2), (4, 4, 4), (1000,)):
        rng = torch.Generator().manual_seed(5)
        # The small batch is far from the others.
        batches = [torch.empty(n, 3).normal_(5.0 if n == 2 else 0.0, 1.0, generator=rng) for n in sizes]
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, momentum=0.3))
        for p in (model[1].running_mean, model[1].running_var):
            p.fill_(7)
        update_bn(batches, model)
        values = model[0](torch.cat(batches)).double()
        yield {
            "name": f"update_bn of batches of {sizes}",
            "kind": "update",
            "batches": [encode(b) for b in batches],
            "mean": encode(model[1].running_mean),
            "var": encode(model[1].running_var),
            "count": model[1].num_batches_tracked.item(),
            "trueMean": encode(values.mean(0)),
            "trueVar": encode(values.var(0)),
        }


def resizing():
    for shape, size, antialias, dtype in (
        ((2, 3, 7, 9), [4, 5], False, torch.float32),
        ((2, 3, 7, 9), [4, 5], True, torch.float32),
        ((1, 1, 5, 5), [11, 3], False, torch.float32),
        ((1, 1, 5, 5), [11, 3], True, torch.float32),
        ((1, 2, 16, 16), [3, 2], True, torch.float32),
        ((1, 2, 16, 16), [1, 1], False, torch.float32),
        ((1, 2, 16, 16), [1, 1], True, torch.float32),
        ((3, 8, 12), 5, True, torch.float32),
        ((3, 12, 8), 20, False, torch.float32),
        ((3, 9, 10), [4, 6], False, torch.uint8),
        ((3, 9, 10), [4, 6], True, torch.uint8),
    ):
        x = torch.empty(shape).uniform_(0, 256, generator=torch.Generator().manual_seed(3)).to(dtype)
        if isinstance(size, list) and dtype == torch.float32:
            y = nn.functional.interpolate(x, size, mode="bilinear", align_corners=False, antialias=antialias)
        else:
            y = TF.resize(x, size, antialias=antialias)
        yield {
            "name": f"{list(shape)} {str(dtype)[6:]} to {size}, antialias {antialias}",
            "kind": "resize",
            "input": encode(x),
            "size": size,
            "antialias": antialias,
            "output": encode(y),
        }
