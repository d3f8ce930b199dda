"""norm_more.json: normalization that is no layer of norm.json's kinds, and what needs PyTorch 2.4 or later (RMSNorm)."""

import torch
import torch.nn.functional as F
from torch import nn

from encode import encode, options


def cases():
    return [case(index, *entry) for index, entry in enumerate(matrix())]


def matrix():
    f64 = torch.float64
    for shape, normalized in (
        ((4, 2), [2]), ((3, 4), [4]), ((3, 5), [5]), ((5, 9), [9]), ((3, 16), [16]), ((2, 33), [33]),
        ((7,), [7]), ((2, 3, 5), [5]), ((2, 3, 5), [3, 5]), ((2, 3, 2, 3), [3, 2, 3]), ((5, 199), [199]),
    ):  # fmt: skip
        yield "RMSNorm", [normalized], {}, shape, None
    yield "RMSNorm", [[6]], {"elementwise_affine": False}, (3, 6), None
    yield "RMSNorm", [[6]], {"eps": 1e-2}, (3, 6), None
    yield "RMSNorm", [[1]], {"eps": 1.0}, (3, 1), None
    yield "RMSNorm", [[2, 5]], {"dtype": f64}, (3, 2, 5), None
    for size in (1, 2, 3, 4, 5, 9):
        yield "LocalResponseNorm", [size], {}, (2, 6, 3, 4), None
    yield "LocalResponseNorm", [3], {"alpha": 0.5, "beta": 0.3, "k": 2.0}, (2, 5, 7), None
    yield "LocalResponseNorm", [4], {"alpha": 2.0, "beta": 1.5, "k": 0.1}, (2, 4, 2, 3, 2), None
    yield "LocalResponseNorm", [4], {"alpha": 2.0}, (1, 2, 5), None
    for p in (1, 2, 3, 0.5, float("inf")):
        yield "normalize", [], {"p": p}, (3, 5, 2), F.normalize
    yield "normalize", [], {"dim": 0}, (4, 3), F.normalize
    yield "normalize", [], {"dim": (1, 2), "eps": 3.0}, (2, 3, 4), F.normalize
    yield "normalize", [], {"p": 1, "dim": -1}, (2, 3, 4), F.normalize
    for module, shape in (("BatchNorm1d", (4, 3)), ("BatchNorm2d", (2, 3, 4, 5)), ("GroupNorm", (2, 6, 5))):
        args = [3, 6] if module == "GroupNorm" else [3]
        yield module, args, {"bias": False}, shape, None
    yield "SyncBatchNorm", [3], {}, (4, 3, 5), None
    yield "SyncBatchNorm", [4], {"momentum": None, "affine": False}, (6, 4), None


def case(index, name, args, kwargs, shape, run):
    rng = torch.Generator().manual_seed(5000 + index)
    dtype = kwargs.get("dtype", torch.float32)
    draw = lambda: torch.empty(shape, dtype=dtype).normal_(0.7, 1.5, generator=rng)
    layer = None if run else getattr(nn, name)(*args, **kwargs)
    state = {}
    if layer:
        with torch.no_grad():
            for key, p in layer.named_parameters():
                p.copy_(torch.empty_like(p).normal_(0.3, 1.0, generator=rng))
                state[key] = encode(p)
    x, g = draw().requires_grad_(), draw()
    y = layer(x) if layer else run(x, **kwargs)
    y.backward(g)
    entry = {
        "name": f"{name}({', '.join(map(str, args))}) {options(kwargs) or ''} on {list(shape)}".replace("  ", " "),
        "module": name,
        "args": args,
        "options": {k: "Infinity" if v == float("inf") else v for k, v in options(kwargs).items()},
        "state": state,
        "input": encode(x),
        "gradOutput": encode(g),
        "output": encode(y),
        "gradInput": encode(x.grad),
    }
    if layer:
        entry["gradState"] = {key: encode(p.grad) for key, p in layer.named_parameters()}
        entry["buffers"] = {key: encode(b) for key, b in layer.named_buffers()}
        entry["text"] = repr(layer)
    return entry
