"""print.json: how PyTorch prints tensors and modules."""

import torch
from torch import nn

from encode import encode


def cases():
    return [*tensors(), *modules()]


def tensors():
    nan, inf = float("nan"), float("inf")
    f = torch.tensor
    rng = torch.Generator().manual_seed(4)
    normal = lambda *shape: torch.empty(shape).normal_(generator=rng)
    f64 = torch.float64
    named = {
        "scalar": f(1.5), "scalar whole": f(3.0), "scalar int": f(7), "scalar bool": f(True), "scalar nan": f(nan), "scalar tiny": f(1e-9),
        "scalar huge": f(1e20), "scalar negative": f(-0.5), "scalar float64": f(2.25, dtype=f64), "scalar zero": f(0.0), "scalar -0": f(-0.0),
        "floats": f([1.0, 2.5, -3.25]), "whole floats": f([1.0, 2.0, -3.0]), "whole large": f([1e5, 2e5]), "whole larger": f([1e8, 2e8, 1.0]),
        "whole largest": f([1e9, 1.0]), "thousandths": f([0.001, 0.002]), "tiny": f([1e-5, 2e-5]), "tiny and one": f([1e-5, 1.0]),
        "ratio 1000": f([1.5, 1500.5]), "above ratio 1000": f([0.5, 1500.5]), "hundred million": f([0.5, 123456789.0]), "1e8": f([1.5, 1e8]), "below 1e-4": f([0.5, 0.00009]),
        "above 1e-4": f([0.00011, 0.05]), "nan and inf": f([nan, inf, -inf, 1.5]), "nan and whole": f([nan, 1.0, 2.0]), "all nan": f([nan, nan]),
        "inf and whole": f([inf, 10.0]), "inf alone": f([inf]), "-inf and fractions": f([-inf, 0.25, 100.0]), "zeros": torch.zeros(3), "zero and tiny": f([0.0, 1e-6]),
        "zeros and -0": f([0.0, -0.0]), "float64": f([0.1, 0.2], dtype=f64), "float64 scientific": f([1e-10, 1.0], dtype=f64), "float64 whole": f([1.0, 2.0], dtype=f64),
        "float64 huge": f([1e300, 1.0], dtype=f64), "three digit exponents": f([1e-38, 1e38]), "halves to even": f([0.00005, 0.12345, 2.50005]),
        "half to even, exact": f([0.03125, 0.09375, 1.00003125]), "rounding up a digit": f([0.99999, 9.99999]), "int64": f([1, -20, 300]), "int64 large": f([2**60, -1]),
        "int32": f([1, -20], dtype=torch.int32), "uint8": f([1, 255], dtype=torch.uint8), "bools": f([True, False]),
        "bool matrix": f([[True, False], [False, True]]), "empty": torch.empty(0), "empty int64": torch.empty(0, dtype=torch.int64), "empty bool": torch.empty(0, dtype=torch.bool),
        "empty matrix": torch.empty(2, 0), "empty in front": torch.empty(0, 3), "empty float64": torch.empty(0, dtype=f64), "one element": f([5.0]),
        "matrix": normal(2, 3), "row": normal(1, 4), "column": normal(4, 1), "cube": normal(2, 2, 3), "four dimensions": normal(2, 1, 2, 2),
        "five dimensions": normal(1, 2, 1, 2, 2), "int matrix": torch.arange(6).reshape(2, 3), "int cube": torch.arange(12).reshape(2, 3, 2) - 5, "long line": normal(20),
        "long line of ints": torch.arange(40), "long line of whole": torch.arange(30.0), "long rows": normal(2, 17), "long line of bools": f([True, False] * 10),
        "scientific lines": normal(11) * f([1e-6, 1e6] * 5 + [1.0]), "a thousand": torch.arange(1000), "more than a thousand": torch.arange(1001),
        "summarised floats": normal(1500), "summarised rows": normal(200, 6), "summarised columns": normal(2, 600), "summarised both": normal(40, 40),
        "summarised cube": normal(3, 20, 20), "summarised three": normal(11, 10, 10), "summarised six": torch.arange(6 * 200).reshape(6, 200),
        "summarised seven": torch.arange(7 * 200).reshape(7, 200), "summarised range": torch.cat([torch.ones(600), f([1e6]), torch.ones(600)]),
        "summarised uint8": (torch.arange(1100) % 256).to(torch.uint8), "summarised four dimensions": torch.arange(8 * 8 * 8 * 8.0).reshape(8, 8, 8, 8), "summarised bools": torch.arange(1200) % 2 == 0,
        "images": torch.rand(1, 1, 5, 5, generator=rng), "large numbers": normal(3) * 1e4, "larger numbers": normal(3) * 1e7, "small numbers": normal(3) * 1e-3,
    }  # fmt: skip
    for name, t in named.items():
        yield tensor(name, t)
    for name in ("scalar", "floats", "matrix", "long line", "empty", "float64", "empty matrix", "summarised floats"):
        t = named[name].clone().requires_grad_()
        yield tensor(name + ", requires grad", t)
        yield tensor(name + ", negated", t, "neg")
        yield tensor(name + ", cloned", t, "clone")
    for name in ("floats", "float64", "cube", "long line"):
        yield parameter(name, named[name])


def tensor(name, t, grad_fn=None):
    shown = getattr(t, grad_fn)() if grad_fn else t
    entry = {"kind": "tensor", "name": name, "tensor": encode(t), "requiresGrad": t.requires_grad, "text": repr(shown)}
    return entry | ({"gradFn": grad_fn} if grad_fn else {})


def parameter(name, t):
    p = nn.Parameter(t.clone())
    return {"kind": "parameter", "name": f"parameter, {name}", "tensor": encode(t), "text": repr(p)}


def modules():
    for code, module in (
        ("new nn.Linear(3, 4)", nn.Linear(3, 4)),
        ("new nn.Linear(3, 4, { bias: false })", nn.Linear(3, 4, bias=False)),
        ("new nn.Conv1d(2, 4, 3)", nn.Conv1d(2, 4, 3)),
        ("new nn.Conv2d(1, 32, 3)", nn.Conv2d(1, 32, 3)),
        ("new nn.Conv2d(1, 32, 3, { padding: 1, bias: false })", nn.Conv2d(1, 32, 3, padding=1, bias=False)),
        ("new nn.Conv2d(4, 8, [3, 5], { stride: 2, padding: [1, 2], dilation: [1, 2], groups: 2 })", nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), dilation=(1, 2), groups=2)),
        ('new nn.Conv2d(4, 8, 3, { padding: "same" })', nn.Conv2d(4, 8, 3, padding="same")),
        ('new nn.Conv2d(4, 8, 3, { padding: "valid" })', nn.Conv2d(4, 8, 3, padding="valid")),
        ("new nn.Conv1d(4, 8, 3, { stride: 2, padding: 1, groups: 4 })", nn.Conv1d(4, 8, 3, stride=2, padding=1, groups=4)),
        ("new nn.BatchNorm1d(16)", nn.BatchNorm1d(16)),
        ("new nn.BatchNorm2d(16, { eps: 1e-3, momentum: null })", nn.BatchNorm2d(16, eps=1e-3, momentum=None)),
        ("new nn.BatchNorm3d(16, { affine: false, trackRunningStats: false })", nn.BatchNorm3d(16, affine=False, track_running_stats=False)),
        ("new nn.BatchNorm2d(8, { eps: 1, momentum: 1 })", nn.BatchNorm2d(8, eps=1.0, momentum=1.0)),
        ("new nn.InstanceNorm1d(3)", nn.InstanceNorm1d(3)),
        ("new nn.InstanceNorm2d(3, { affine: true, trackRunningStats: true })", nn.InstanceNorm2d(3, affine=True, track_running_stats=True)),
        ("new nn.InstanceNorm3d(3, { momentum: 0.01 })", nn.InstanceNorm3d(3, momentum=0.01)),
        ("new nn.GroupNorm(2, 6)", nn.GroupNorm(2, 6)),
        ("new nn.GroupNorm(2, 6, { eps: 1e-6, affine: false })", nn.GroupNorm(2, 6, eps=1e-6, affine=False)),
        ("new nn.LayerNorm(10)", nn.LayerNorm(10)),
        ("new nn.LayerNorm([3, 10], { eps: 1e-6, elementwiseAffine: false })", nn.LayerNorm([3, 10], eps=1e-6, elementwise_affine=False)),
        ("new nn.ReLU()", nn.ReLU()),
        ("new nn.ReLU6()", nn.ReLU6()),
        ("new nn.LeakyReLU()", nn.LeakyReLU()),
        ("new nn.LeakyReLU({ negativeSlope: 0.2 })", nn.LeakyReLU(0.2)),
        ("new nn.Sigmoid()", nn.Sigmoid()),
        ("new nn.Tanh()", nn.Tanh()),
        ("new nn.GELU()", nn.GELU()),
        ('new nn.GELU({ approximate: "tanh" })', nn.GELU(approximate="tanh")),
        ("new nn.SiLU()", nn.SiLU()),
        ("new nn.Softmax({ dim: 1 })", nn.Softmax(dim=1)),
        ("new nn.LogSoftmax({ dim: 1 })", nn.LogSoftmax(dim=1)),
        ("new nn.MaxPool1d(2)", nn.MaxPool1d(2)),
        ("new nn.MaxPool2d(2)", nn.MaxPool2d(2)),
        ("new nn.MaxPool2d([3, 2], { stride: 2, padding: 1, dilation: 1, ceilMode: true })", nn.MaxPool2d((3, 2), stride=2, padding=1, dilation=1, ceil_mode=True)),
        ("new nn.AvgPool1d(2)", nn.AvgPool1d(2)),
        ("new nn.AvgPool2d(3, { stride: [2, 1], padding: 1 })", nn.AvgPool2d(3, stride=(2, 1), padding=1)),
        ("new nn.AdaptiveAvgPool1d(1)", nn.AdaptiveAvgPool1d(1)),
        ("new nn.AdaptiveAvgPool2d([1, 2])", nn.AdaptiveAvgPool2d((1, 2))),
        ("new nn.AdaptiveAvgPool2d(1)", nn.AdaptiveAvgPool2d(1)),
        ("new nn.AdaptiveMaxPool2d(1)", nn.AdaptiveMaxPool2d(1)),
        ("new nn.Dropout()", nn.Dropout()),
        ("new nn.Dropout({ p: 0.1 })", nn.Dropout(p=0.1)),
        ("new nn.Flatten()", nn.Flatten()),
        ("new nn.Flatten({ startDim: 0, endDim: 1 })", nn.Flatten(start_dim=0, end_dim=1)),
        ("new nn.Identity()", nn.Identity()),
        ("new nn.CrossEntropyLoss()", nn.CrossEntropyLoss()),
        ("new nn.NLLLoss()", nn.NLLLoss()),
        ("new nn.MSELoss()", nn.MSELoss()),
        ("new nn.BCELoss()", nn.BCELoss()),
        ("new nn.BCEWithLogitsLoss()", nn.BCEWithLogitsLoss()),
        ("new nn.Sequential()", nn.Sequential()),
        ("new nn.ModuleList()", nn.ModuleList()),
        ("new nn.ModuleDict()", nn.ModuleDict()),
        ("new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU())", nn.Sequential(nn.Linear(2, 3), nn.ReLU())),
        (
            "new nn.Sequential(new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2)), new nn.Flatten(), new nn.Sequential(new nn.Linear(8, 2)))",
            nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.Flatten(), nn.Sequential(nn.Linear(8, 2))),
        ),
        ("new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)])", nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])),
        ("new nn.ModuleList([new nn.ReLU(), new nn.Linear(2, 2)])", nn.ModuleList([nn.ReLU(), nn.Linear(2, 2)])),
        ("new nn.ModuleDict({ conv: new nn.Conv2d(1, 2, 3), act: new nn.ReLU() })", nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "act": nn.ReLU()})),
        ("new nn.Sequential(new nn.ModuleList([new nn.Identity()]))", nn.Sequential(nn.ModuleList([nn.Identity()]))),
    ):  # fmt: skip
        yield {"kind": "module", "name": code, "code": code, "text": repr(module)}
    yield block()


def block():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
            self.bn = nn.BatchNorm2d(2)
            self.down = nn.Sequential(nn.Identity())

    code = "new (class Block extends nn.Module { conv = new nn.Conv2d(2, 2, 3, { padding: 1, bias: false }); bn = new nn.BatchNorm2d(2); down = new nn.Sequential(new nn.Identity()); })()"
    return {"kind": "module", "name": "Block", "code": code, "text": repr(Block())}
