"""init.json: every function of torch.nn.init on tensors of several shapes and both dtypes, after manual_seed."""

import torch
from torch import nn

from encode import camel, encode

MATRIX, KERNEL, LARGE = (3, 5), (4, 3, 2, 2), (20, 30)


def cases():
    return list(matrix())


def matrix():
    for shape in (MATRIX, KERNEL, LARGE):
        yield case("uniform_", shape, [-0.3, 0.7])
        yield case("normal_", shape, [0.5, 0.2])
        yield case("trunc_normal_", shape, options={"std": 0.02})
        yield case("xavier_uniform_", shape)
        yield case("xavier_uniform_", shape, [1.5])
        yield case("xavier_normal_", shape)
        for name in ("kaiming_uniform_", "kaiming_normal_"):
            yield case(name, shape)
            yield case(name, shape, options={"mode": "fan_out", "nonlinearity": "relu"})
            yield case(name, shape, options={"a": 0.3})
            yield case(name, shape, options={"nonlinearity": "tanh"})
    for options in ({}, {"mean": 1.0, "std": 3.0, "a": -1.0, "b": 1.5}, {"a": 2.5, "b": 4.0}, {"a": -9.0, "b": 9.0}):
        yield case("trunc_normal_", LARGE, options=options)
    yield case("constant_", MATRIX, [0.3])
    yield case("ones_", MATRIX)
    yield case("zeros_", MATRIX)
    yield case("eye_", MATRIX)
    yield case("xavier_normal_", LARGE, dtype=torch.float64)
    yield case("kaiming_uniform_", LARGE, dtype=torch.float64)
    yield case("trunc_normal_", LARGE, dtype=torch.float64)
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        yield {"name": f"gain of {name}", "kind": "gain", "args": [name], "gain": nn.init.calculate_gain(name)}
    yield {"name": "gain of leaky_relu 0.3", "kind": "gain", "args": ["leaky_relu", 0.3], "gain": nn.init.calculate_gain("leaky_relu", 0.3)}


def case(name, shape, args=(), options=None, dtype=torch.float32):
    options = options or {}
    torch.manual_seed(23)
    x = torch.full(shape, 7.0, dtype=dtype)
    getattr(nn.init, name)(x, *args, **options)
    text = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in options.items())])
    entry = {"name": f"{name}({text}) {list(shape)} {dtype}".replace("torch.", ""), "kind": "fill", "init": camel(name), "seed": 23}
    return entry | {"args": list(args), "options": options, "output": encode(x)}
