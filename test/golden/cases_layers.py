"""layers.json: layers with parameters as PyTorch initialises them, and pooling."""

import torch
from torch import nn

from encode import encode, options


def cases():
    return [case(i, *entry) for i, entry in enumerate(matrix())]


def matrix():
    f64 = torch.float64
    for n, i, o in ((3, 5, 4), (1, 1, 1), (4, 17, 9), (7, 8, 16)):
        yield "Linear", [i, o], {}, (n, i)
    yield "Linear", [5, 3], {"bias": False}, (2, 5)
    yield "Linear", [5, 3], {}, (2, 3, 5)
    yield "Linear", [5, 3], {}, (5,)
    yield "Linear", [5, 3], {"dtype": f64}, (2, 5)
    yield "Linear", [784, 10], {}, (1, 784)

    for kwargs in (
        {}, {"stride": 2}, {"padding": 1}, {"dilation": 2}, {"groups": 2}, {"bias": False}, {"padding": "same"},
        {"padding": "same", "dilation": 2}, {"stride": 3, "padding": 2, "dilation": 2, "groups": 2, "bias": False},
    ):  # fmt: skip
        yield "Conv1d", [4, 6, 3], kwargs, (2, 4, 9)
    yield "Conv1d", [1, 1, 1], {}, (1, 1, 5)
    yield "Conv1d", [3, 2, 4], {"padding": "same"}, (2, 3, 7)
    yield "Conv1d", [3, 2, 2], {}, (3, 8)
    yield "Conv1d", [3, 2, 2], {"dtype": f64}, (2, 3, 5)

    for kwargs in (
        {}, {"stride": 2}, {"stride": [1, 2]}, {"padding": 1}, {"padding": [0, 2]}, {"dilation": 2}, {"dilation": [1, 2], "padding": 2},
        {"groups": 2}, {"groups": 4}, {"bias": False}, {"padding": "same"}, {"padding": "valid"},
        {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}, {"padding": "same", "groups": 4, "dilation": [2, 1]},
    ):  # fmt: skip
        yield "Conv2d", [4, 4, 3], kwargs, (2, 4, 7, 6)
    yield "Conv2d", [1, 1, 1], {}, (1, 1, 2, 3)
    yield "Conv2d", [5, 7, 1], {}, (2, 5, 3, 3)
    yield "Conv2d", [5, 7, 1], {"stride": 2, "bias": False}, (2, 5, 5, 5)
    yield "Conv2d", [3, 8, [2, 5]], {"stride": [2, 3], "padding": [1, 2]}, (2, 3, 7, 11)
    yield "Conv2d", [2, 3, [2, 4]], {"padding": "same"}, (2, 2, 5, 5)
    yield "Conv2d", [1, 6, 5], {"padding": 2}, (2, 1, 12, 12)
    yield "Conv2d", [3, 17, 3], {"padding": 1}, (1, 3, 9, 9)
    yield "Conv2d", [3, 9, 3], {"groups": 3}, (1, 3, 5, 5)
    yield "Conv2d", [2, 3, 2], {}, (2, 4, 4)
    yield "Conv2d", [2, 3, 2], {"dtype": f64}, (2, 2, 4, 4)

    for kind in ("Max", "Avg"):
        name = f"{kind}Pool1d"
        for args, kwargs in (([2], {}), ([3], {"stride": 1}), ([3], {"stride": 2, "padding": 1}), ([2], {"ceil_mode": True})):
            yield name, args, kwargs, (2, 3, 9)
        name = f"{kind}Pool2d"
        for args, kwargs in (
            ([2], {}), ([3], {"stride": 1}), ([3], {"stride": 2, "padding": 1}), ([[2, 3]], {"stride": [2, 1]}),
            ([3], {"stride": 2, "ceil_mode": True}), ([2], {"padding": 1, "ceil_mode": True}), ([[1, 2]], {}),
        ):  # fmt: skip
            yield name, args, kwargs, (2, 3, 7, 8)
        yield name, [2], {}, (3, 4, 5)
        yield name, [2], {"dtype": f64}, (1, 2, 4, 4)
    yield "MaxPool2d", [2], {"dilation": 2, "stride": 1}, (1, 2, 5, 6)
    yield "MaxPool1d", [3], {"dilation": 2}, (1, 2, 9)
    for kwargs in ({"count_include_pad": False}, {"divisor_override": 3}, {"count_include_pad": False, "ceil_mode": True}):
        yield "AvgPool2d", [3], kwargs | {"stride": 2, "padding": 1}, (1, 2, 6, 7)
    yield "AvgPool1d", [3], {"padding": 1, "count_include_pad": False}, (1, 2, 8)
    for args, shape in (([1], (2, 3, 7)), ([3], (2, 3, 7)), ([5], (1, 2, 3))):
        yield "AdaptiveAvgPool1d", args, {}, shape
        yield "AdaptiveMaxPool1d", args, {}, shape
    for args, shape in (([1], (2, 3, 5, 4)), ([[2, 3]], (2, 3, 5, 7)), ([[None, 2]], (1, 2, 3, 5)), ([4], (1, 2, 3, 3)), ([2], (3, 5, 5))):
        yield "AdaptiveAvgPool2d", args, {}, shape
        yield "AdaptiveMaxPool2d", args, {}, shape


def case(index, module, args, kwargs, shape):
    seed = 300 + index
    torch.manual_seed(seed)
    pooling = "Pool" in module
    dtype = kwargs.get("dtype", torch.float32)
    tuples = lambda v: tuple(v) if isinstance(v, list) else v
    # Pooling has no dtype: it takes the input's.
    own = {k: tuples(v) for k, v in kwargs.items() if not (pooling and k == "dtype")}
    layer = getattr(nn, module)(*map(tuples, args), **own)
    state = {k: encode(p) for k, p in layer.named_parameters()}
    rng = torch.Generator().manual_seed(9000 + index)
    x = torch.empty(shape, dtype=dtype).normal_(generator=rng).requires_grad_()
    y = layer(x)
    g = torch.empty(y.shape, dtype=dtype).normal_(generator=rng)
    y.backward(g)
    names = " ".join(f"{k}={v}" for k, v in options(own).items())
    return {
        "name": f"{module}({', '.join(map(str, args))}{' ' + names if names else ''}) on {list(shape)}",
        "module": module,
        "args": args,
        "options": options(own),
        "seed": seed,
        "state": state,
        "input": encode(x),
        "gradOutput": encode(g),
        "output": encode(y),
        "gradInput": encode(x.grad),
        "gradState": {k: encode(p.grad) for k, p in layer.named_parameters()},
    }
