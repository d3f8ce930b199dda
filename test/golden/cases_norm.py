"""norm.json: four training steps and one evaluation of every normalization layer."""

import pathlib
import sys

import numpy as np
import torch
from torch import nn

from encode import camel, drawn, encode, options, sample

sys.path.append(str(pathlib.Path(__file__).parent.parent / "torch"))
from truth import Truth, in_two  # noqa: E402


def cases():
    out = []
    for name, shape, args, kwargs in matrix():
        out.append(case(len(out), name, shape, args, kwargs))
    for name, shape, args, kwargs in large():
        out.append(case(len(out), name, shape, args, kwargs, big=True))
    # A mean far from zero, where sums of squares in float32 would cancel.
    out.append(case(len(out), "BatchNorm2d", (4, 3, 9, 9), [3], {}, big=True, mean=1e4))
    out.append(case(len(out), "BatchNorm1d", (64, 5), [5], {}, big=True, mean=1e3))
    return out


def matrix():
    f64 = torch.float64
    # Batch norm, two dimensions: channels around the SIMD widths 4 and 8, batches odd and even.
    for c in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17):
        yield "BatchNorm1d", (5, c), [c], {}
    for n in (2, 3, 4, 8, 9, 17):
        yield "BatchNorm1d", (n, 3), [3], {}
    yield "BatchNorm1d", (6, 8), [8], {"dtype": f64}
    yield "BatchNorm1d", (5, 5), [5], {"eps": 1e-3}
    for length in (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17):
        yield "BatchNorm1d", (3, 2, length), [2], {}
    yield "BatchNorm1d", (1, 3, 5), [3], {}
    yield "BatchNorm1d", (3, 5, 7), [5], {"dtype": f64}
    for shape in ((2, 3, 1, 1), (5, 3, 1, 1), (2, 3, 1, 2), (2, 3, 3, 3), (3, 5, 2, 4), (1, 4, 3, 5), (2, 17, 2, 2), (2, 2, 5, 7)):
        yield "BatchNorm2d", shape, [shape[1]], {}
    yield "BatchNorm2d", (2, 3, 3, 5), [3], {"dtype": f64}
    yield "BatchNorm2d", (2, 3, 3, 5), [3], {"eps": 0.1}
    for shape in ((2, 3, 1, 1, 1), (2, 3, 2, 2, 2), (2, 2, 3, 1, 5), (1, 3, 2, 3, 3)):
        yield "BatchNorm3d", shape, [shape[1]], {}
    # Every combination of options, with two and with more dimensions.
    for affine in (True, False):
        for track in (True, False):
            for momentum in (0.1, 0.3, None, 1.0, 0.0):
                if not track and momentum != 0.1:
                    continue
                kwargs = {"affine": affine, "track_running_stats": track, "momentum": momentum}
                yield "BatchNorm1d", (4, 5), [5], kwargs
                yield "BatchNorm2d", (2, 3, 3, 2), [3], kwargs
    yield "BatchNorm3d", (2, 3, 2, 1, 3), [3], {"affine": False, "momentum": None}

    for affine in (True, False):
        for track in (True, False):
            kwargs = {"affine": affine, "track_running_stats": track}
            yield "InstanceNorm1d", (2, 3, 5), [3], kwargs
            yield "InstanceNorm2d", (3, 2, 3, 3), [2], kwargs
            yield "InstanceNorm3d", (2, 2, 2, 3, 2), [2], kwargs
    yield "InstanceNorm1d", (3, 7), [3], {"affine": True, "track_running_stats": True}
    yield "InstanceNorm2d", (3, 2, 5), [3], {"affine": True}
    yield "InstanceNorm3d", (2, 2, 3, 2), [2], {"affine": True}
    yield "InstanceNorm2d", (2, 3, 1, 17), [3], {"affine": True, "track_running_stats": True, "momentum": 0.3}
    yield "InstanceNorm2d", (2, 5, 4, 4), [5], {"affine": True, "track_running_stats": True, "momentum": 0.3, "eps": 1e-3}
    yield "InstanceNorm2d", (2, 2, 3, 3), [2], {"affine": True, "dtype": f64}

    for shape, groups in (
        ((3, 6), 2), ((2, 4), 1), ((2, 6, 5), 3), ((2, 6, 5), 6), ((2, 6, 5), 1), ((1, 8, 3, 3), 4),
        ((2, 4, 1, 1), 2), ((3, 6, 2, 7), 2), ((2, 4, 2, 2, 3), 2), ((2, 10, 17), 5),
    ):  # fmt: skip
        yield "GroupNorm", shape, [groups, shape[1]], {}
    yield "GroupNorm", (2, 6, 5), [3, 6], {"affine": False}
    yield "GroupNorm", (2, 6, 5), [3, 6], {"eps": 1e-2}
    yield "GroupNorm", (2, 6, 3, 3), [2, 6], {"dtype": f64}

    for shape, normalized in (
        ((3, 1), [1]), ((4, 2), [2]), ((4, 3), [3]), ((3, 4), [4]), ((3, 5), [5]), ((2, 8), [8]), ((5, 9), [9]),
        ((3, 16), [16]), ((3, 17), [17]), ((2, 33), [33]), ((7,), [7]), ((2, 3, 5), [5]), ((2, 3, 5), [3, 5]), ((2, 3, 2, 3), [3, 2, 3]),
    ):  # fmt: skip
        yield "LayerNorm", shape, [normalized], {}
    yield "LayerNorm", (3, 6), [[6]], {"elementwise_affine": False}
    yield "LayerNorm", (3, 6), [[6]], {"eps": 1e-2}
    yield "LayerNorm", (3, 2, 5), [[2, 5]], {"dtype": f64}


def large():
    yield "BatchNorm2d", (8, 16, 14, 14), [16], {}
    yield "BatchNorm2d", (4, 5, 17, 13), [5], {"momentum": None}
    yield "BatchNorm2d", (2, 64, 7, 7), [64], {"affine": False}
    yield "BatchNorm1d", (6, 7, 301), [7], {"momentum": 0.3}
    yield "BatchNorm3d", (3, 4, 5, 6, 7), [4], {}
    yield "BatchNorm1d", (128, 100), [100], {}
    yield "InstanceNorm2d", (4, 6, 15, 11), [6], {"affine": True, "track_running_stats": True}
    yield "GroupNorm", (4, 12, 9, 9), [4, 12], {}
    yield "LayerNorm", (32, 199), [[199]], {}


def case(index, module, shape, args, kwargs, big=False, mean=0.7):
    rng = torch.Generator().manual_seed(1000 + index)
    dtype = kwargs.get("dtype", torch.float32)
    layer = getattr(nn, module)(*args, **kwargs)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.empty_like(p).normal_(0.3, 1.0, generator=rng))
    initial = {k: encode(v) for k, v in layer.named_parameters()}
    state = {k: v.detach().numpy().copy() for k, v in layer.named_parameters()}
    truth = Truth(module, args, {k: v for k, v in kwargs.items() if k != "dtype"}, state, dtype == torch.float64)

    def tensors(step):
        if big:
            x, xd = drawn(shape, 10_000 * (index + 1) + 2 * step, mean + step, 1.5, dtype)
            g, gd = drawn(shape, 10_000 * (index + 1) + 2 * step + 1, 0.0, 1.0, dtype)
            return x, xd, g, gd
        # A mean and a spread of their own in every position of the last dimensions but the batch's.
        spread = torch.empty(shape[1:] if len(shape) > 1 else shape, dtype=dtype).uniform_(0.2, 3, generator=rng)
        offset = torch.empty(spread.shape, dtype=dtype).normal_(0, 2, generator=rng)
        x = torch.empty(shape, dtype=dtype).normal_(generator=rng) * spread + offset
        g = torch.empty(shape, dtype=dtype).normal_(generator=rng)
        return x, encode(x), g, encode(g)

    def run(step):
        x, x_json, g, g_json = tensors(step)
        x.requires_grad_()
        layer.zero_grad(set_to_none=True)
        y = layer(x)
        y.backward(g)
        pack = (lambda t: sample(t, 29)) if big else encode
        entry = {"input": x_json, "gradOutput": g_json, "output": pack(y), "gradInput": pack(x.grad)}
        for key, p in layer.named_parameters():
            entry["grad" + key.capitalize()] = encode(p.grad)
        found = {"output": y, "grad_input": x.grad, **{f"grad_{k}": p.grad for k, p in layer.named_parameters()}}
        exact = exactly(truth.step(x.detach().numpy(), g.numpy(), layer.training), found, dtype)
        return {**entry, **({"exact": exact} if exact else {})}

    steps = []
    for step in range(2 if big else 4):
        entry = run(step)
        if getattr(layer, "running_mean", None) is not None:
            entry["runningMean"] = encode(layer.running_mean)
            entry["runningVar"] = encode(layer.running_var)
            entry["numBatchesTracked"] = layer.num_batches_tracked.item()
        steps.append(entry)
    layer.eval()
    return {
        "name": f"{module}({', '.join(map(str, args))}) {options(kwargs) or ''} on {list(shape)}".replace("  ", " "),
        "module": module,
        "args": args,
        "options": options(kwargs),
        "state": initial,
        "steps": steps,
        "eval": run(9),
    }


def exactly(truth, found, dtype):
    """The exact results where PyTorch's are off by more than a quarter of the limits of test/nn/norm-rule.ts, each with its term."""
    if dtype == torch.float64:
        return {}
    results, terms = truth
    exact = {}
    for key, tensor in found.items():
        off = np.max(abs(tensor.detach().double().numpy() - results[key]), initial=0)
        limit = (2e-6 if key == "output" else 1e-5) * float(tensor.abs().max())
        if off > limit / 4:
            exact[camel(key)] = {"high": encode(torch.from_numpy(in_two(results[key])[0])), "term": terms[key]}
    return exact
