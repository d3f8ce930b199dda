"""Writes kernels.json, the golden numbers of single kernels: run it with a Python that has PyTorch 1.13.

    /usr/bin/python3 test/golden/kernels.py

The schema is make.py's. "kernel" names the method of Backend. Optimizers, and batch norm where "exact" says so, are PyTorch's own float32
results, to be met to the bit; all other float results were computed by PyTorch in float64 from the inputs given.
"""

import torch
import torch.nn.functional as F

from encode import encode, write

torch.manual_seed(11)
CASES = []


def case(kernel, name, tensors, **rest):
    CASES.append({"kernel": kernel, "name": name, **rest, **{k: encode(t) for k, t in tensors.items()}})


def wide(n):
    """Values over the whole range that an activation meets: the middle, both tails, zeros."""
    x = torch.cat([torch.randn(n // 2), torch.randn(n // 4) * 8, torch.rand(n // 8) * 1e-3, torch.zeros(1), -torch.rand(n // 8) * 1e-3])
    return x.float()


def gelu(x):
    """GELU by erfc: F.gelu computes 1 + erf, which cancels in the tail."""
    return x * torch.special.erfc(-x * 0.5**0.5) / 2


def gelu_tanh(x):
    """GELU's tanh form by sigmoid: 1 + tanh u = 2 sigmoid 2u, which does not cancel either."""
    return x * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))


def unary():
    x = wide(32)
    positive = x.abs() + 1e-4
    every = {
        "neg": torch.neg, "abs": torch.abs, "sign": torch.sign, "square": torch.square, "reciprocal": torch.reciprocal,
        "exp": torch.exp, "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "tanh": torch.tanh,
        "erf": torch.erf, "floor": torch.floor, "ceil": torch.ceil, "trunc": torch.trunc, "sigmoid": torch.sigmoid,
        "relu": F.relu, "relu6": F.relu6, "silu": F.silu, "gelu": gelu, "geluTanh": gelu_tanh,
    }  # fmt: skip
    for op, f in every.items():
        case("unary", op, {"x": x, "y": f(x.double())}, p=0, q=0)
    logs = {"sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "log": torch.log, "log1p": torch.log1p, "log2": torch.log2, "log10": torch.log10}
    for op, f in logs.items():
        case("unary", op, {"x": positive, "y": f(positive.double())}, p=0, q=0)
    halves = torch.arange(-8, 9) / 2
    case("unary", "round", {"x": halves, "y": torch.round(halves.double())}, p=0, q=0)
    scalars = {
        "leakyRelu": (lambda t, p, q: F.leaky_relu(t, p), 0.25, 0),
        "softplus": (lambda t, p, q: F.softplus(t, p, q), 1.5, 10),
        "addScalar": (lambda t, p, q: t + p, 0.75, 0),
        "mulScalar": (lambda t, p, q: t * p, -1.25, 0),
        "rdivScalar": (lambda t, p, q: p / t, 3.0, 0),
        "rsubScalar": (lambda t, p, q: p - t, 3.0, 0),
        "clamp": (lambda t, p, q: t.clamp(p, q), -0.5, 1.5),
    }
    for op, (f, p, q) in scalars.items():
        case("unary", op, {"x": x, "y": f(x.double(), p, q)}, p=p, q=q)
    for p in [0.0, 0.5, -0.5, 2.0, 3.0, -1.0, 1.75]:
        t = positive if p == 1.75 else x
        case("unary", "powScalar", {"x": t, "y": t.double() ** p}, p=p, q=0)
    odd = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 0.0, 1.0, -1.0])
    for op, f in [("sign", torch.sign), ("relu", F.relu), ("relu6", F.relu6), ("tanh", torch.tanh), ("sigmoid", torch.sigmoid), ("erf", torch.erf)]:
        case("unary", op, {"x": odd, "y": f(odd.double())}, p=0, q=0)
    for p in [0.5, -0.5, 0.0, 3.0, float("inf")]:
        case("unary", "powScalar", {"x": odd, "y": odd.double() ** p}, p=p if p < 9 else "inf", q=0)
    case("unary", "clamp", {"x": odd, "y": odd.double().clamp(3.0, 1.0)}, p=3.0, q=1.0)


def unary_grad():
    x = wide(32)
    x = x[x != 0]
    g = torch.randn(x.shape)
    ops = {
        "relu": (F.relu, 0, 0), "relu6": (F.relu6, 0, 0), "silu": (F.silu, 0, 0), "gelu": (gelu, 0, 0),
        "geluTanh": (gelu_tanh, 0, 0), "leakyRelu": (lambda t: F.leaky_relu(t, 0.25), 0.25, 0),
        "softplus": (lambda t: F.softplus(t, 1.5, 10), 1.5, 10), "clamp": (lambda t: t.clamp(-0.5, 1.5), -0.5, 1.5),
    }  # fmt: skip
    for op, (f, p, q) in ops.items():
        t = x.double().requires_grad_()
        (gx,) = torch.autograd.grad(f(t), t, g.double())
        case("unaryGrad", op, {"s": x, "g": g, "gx": gx}, p=p, q=q)
    for op, f in [("sigmoid", torch.sigmoid), ("tanh", torch.tanh)]:
        y = f(x).double().requires_grad_()
        gx = g.double() * (y * (1 - y) if op == "sigmoid" else 1 - y * y)
        case("unaryGrad", op, {"s": y.float(), "g": g, "gx": gx}, p=0, q=0)
    edge = torch.tensor([0.0, 6.0, -0.5, 1.5, float("nan")])
    for op, (f, p, q) in ops.items():
        if op in ("relu", "relu6", "clamp", "leakyRelu"):
            t = edge.clone().requires_grad_()
            (gx,) = torch.autograd.grad(f(t).sum(), t)
            case("unaryGrad", op, {"s": edge, "g": torch.ones(5), "gx": gx.double()}, p=p, q=q)


def binary():
    a, b = torch.randn(3, 1, 4), torch.randn(2, 1)
    floats = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum, "minimum": torch.minimum,
        "remainder": torch.remainder, "atan2": torch.atan2,
    }  # fmt: skip
    for op, f in floats.items():
        case("binary", op, {"a": a, "b": b, "out": f(a.double(), b.double())}, sizes=[3, 2, 4], aStrides=[4, 0, 1], bStrides=[0, 1, 0])
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), 5.0, -5.0, 0.0, 1.0, -1.0])
    x, y = torch.meshgrid(special, special, indexing="ij")
    for op, f in [("remainder", torch.remainder), ("pow", torch.pow), ("maximum", torch.maximum), ("minimum", torch.minimum)]:
        out = f(x.double().contiguous(), y.double().contiguous())
        case("binary", op, {"a": special, "b": special, "out": out}, sizes=[8, 8], aStrides=[1, 0], bStrides=[0, 1])
    for dtype in [torch.int32, torch.int64, torch.uint8]:
        info = torch.iinfo(dtype)
        a = torch.tensor([info.min, info.max, -7 % 256 if dtype == torch.uint8 else -7, 7, 0, 3], dtype=dtype)
        b = torch.tensor([3, 2, 5, info.max], dtype=dtype)
        if dtype != torch.uint8:
            b = torch.cat([b, torch.tensor([-3], dtype=dtype)])
        x, y = torch.meshgrid(a, b, indexing="ij")
        x, y = x.contiguous(), y.contiguous()
        ints = {
            "add": torch.add, "sub": torch.sub, "mul": torch.mul, "maximum": torch.maximum, "minimum": torch.minimum,
            "remainder": torch.remainder, "div": lambda s, t: torch.div(s, t, rounding_mode="trunc"),
        }  # fmt: skip
        for op, f in ints.items():
            case("binary", op, {"a": a, "b": b, "out": f(x, y)}, sizes=[len(a), len(b)], aStrides=[1, 0], bStrides=[0, 1])
        e = torch.tensor([0, 1, 2, 5, 31], dtype=dtype)
        x, y = torch.meshgrid(a, e, indexing="ij")
        case("binary", "pow", {"a": a, "b": e, "out": x.contiguous().pow(y.contiguous())}, sizes=[len(a), 5], aStrides=[1, 0], bStrides=[0, 1])
        for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
            x, y = torch.meshgrid(a, a, indexing="ij")
            case("compare", op, {"a": a, "b": a, "out": getattr(torch, op)(x, y)}, sizes=[6, 6], aStrides=[1, 0], bStrides=[0, 1])
    for op in ["eq", "ne", "lt", "le", "gt", "ge"]:
        x, y = torch.meshgrid(special, special, indexing="ij")
        case("compare", op, {"a": special, "b": special, "out": getattr(torch, op)(x, y)}, sizes=[8, 8], aStrides=[1, 0], bStrides=[0, 1])


def convert():
    values = torch.tensor([0.0, -0.0, 1.9, -1.9, 200.7, 255.0, 16777217.0, -2147483648.0, 1e-30])
    extra = torch.tensor([float("nan"), 3e9, -3e9, float("inf"), 1e19])
    f64 = torch.cat([values, extra]).double()
    big = torch.tensor([0, 1, -1, 2**53 + 1, -(2**62) - 2**38 - 1, 2**62 + 2**38 + 1, 2**24 + 1, 255, 256, -(2**63), 2**63 - 1])
    dtypes = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool]
    for source in [f64, f64.float(), big, big[:2].bool(), torch.tensor([0, 1, 255], dtype=torch.uint8), torch.tensor([-1, 2**31 - 1, 16777217], dtype=torch.int32)]:
        for to in dtypes:
            x = values.to(source.dtype) if source.is_floating_point() and to == torch.uint8 else source
            case("convert", f"{source.dtype} to {to}", {"x": x, "out": x.to(to)})


def reductions():
    x = torch.randn(3, 5, 4)
    d = x.double()
    outs = {"sum": d.sum(1), "mean": d.mean(1), "prod": d.prod(1), "max": d.amax(1), "min": d.amin(1)}
    for op, out in outs.items():
        case("reduce", op, {"x": x, "out": out}, view=[3, 5, 4])
    for dtype in [torch.int32, torch.int64, torch.uint8]:
        i = torch.randint(0, 9, (2, 6, 3)).to(dtype)
        if dtype != torch.uint8:
            i = (i - 4) * (torch.iinfo(dtype).max // 5)
        outs = {"sum": i.sum(1, dtype=dtype), "prod": i.prod(1, dtype=dtype), "max": i.amax(1), "min": i.amin(1), "any": i.bool().any(1), "all": i.bool().all(1)}
        for op, out in outs.items():
            case("reduce", op, {"x": i, "out": out}, view=[2, 6, 3])
    ties = torch.randint(0, 3, (4, 9, 2)).float()
    ties[1, 4, 0] = float("nan")
    ties[1, 7, 0] = float("nan")
    for op in ["max", "min"]:
        for t in [ties, torch.randint(-3, 3, (4, 9, 2)), torch.randint(0, 2, (4, 9, 2)).bool()]:
            index = []
            extreme = t.double().max(1) if op == "max" else t.double().min(1)
            values = extreme.values
            for o in range(4):  # the first position, which PyTorch promises for NaN only
                for k in range(2):
                    column = t[o, :, k].tolist()
                    wanted = values[o, k].item()
                    index.append(next(j for j, v in enumerate(column) if v == wanted or (v != v and wanted != wanted)))
            case("extremum", op, {"x": t, "values": values.to(t.dtype), "indices": torch.tensor(index).reshape(4, 2)}, view=[4, 9, 2])
    for correction in [0, 1, 5, 6]:
        var = d.var(1, unbiased=False) * 5 / (5 - correction) if correction < 5 else torch.full((3, 4), float("nan")).double()
        case("variance", f"correction {correction}", {"x": x, "out": var, "mean": d.mean(1)}, view=[3, 5, 4], correction=correction)
    wide_x = torch.randn(3, 5, 4) * 30
    wide_x[0, 2, 1] = -float("inf")
    for log in [False, True]:
        t = wide_x.double().requires_grad_()
        g = torch.randn(3, 5, 4)
        y = t.log_softmax(1) if log else t.softmax(1)
        case("softmax", "log" if log else "plain", {"x": wide_x, "out": y}, view=[3, 5, 4], log=log)
        t = x.double().requires_grad_()
        y = t.log_softmax(1) if log else t.softmax(1)
        (gx,) = torch.autograd.grad(y, t, g.double())
        case("softmaxGrad", "log" if log else "plain", {"y": y.float(), "g": g, "gx": gx}, view=[3, 5, 4], log=log)


def indexing():
    for dtype in [torch.float32, torch.int64, torch.uint8]:
        x = torch.randint(0, 100, (2, 6, 3)).to(dtype)
        index = torch.randint(0, 6, (2, 4, 3))
        source = torch.randint(0, 20, (2, 4, 3)).to(dtype)
        rows = torch.tensor([5, 0, 0, 3])
        view = [2, 6, 4, 3]
        case("gather", str(dtype), {"x": x, "index": index, "out": x.gather(1, index)}, view=view)
        case("indexSelect", str(dtype), {"x": x, "index": rows, "out": x.index_select(1, rows)}, view=view)
        case("scatterAdd", str(dtype), {"start": x, "x": source, "index": index, "out": x.scatter_add(1, index, source)}, view=view)
        case("indexAdd", str(dtype), {"start": x, "x": source, "index": rows, "out": x.index_add(1, rows, source)}, view=view)
    for weighted in [False, True]:
        logp = torch.randn(4, 5, 3)
        target = torch.randint(0, 5, (4, 3))
        target[1, 2] = -100
        weight = torch.rand(5) if weighted else None
        t = logp.double().requires_grad_()
        out = F.nll_loss(t, target, weight=weight.double() if weighted else None, reduction="none", ignore_index=-100)
        g = torch.randn(4, 3)
        (gx,) = torch.autograd.grad(out, t, g.double())
        case("nll", f"weighted {weighted}", {"logp": logp, "target": target, "weight": weight, "out": out, "g": g, "gx": gx}, view=[4, 5, 3], ignoreIndex=-100)


def linear():
    a, b, start = torch.randn(2, 3, 4), torch.randn(2, 4, 5), torch.randn(2, 3, 5)
    out = a.double() @ b.double()
    plain = {"batch": 2, "m": 3, "n": 5, "k": 4, "outStrides": [15, 5]}
    t = lambda m: m.transpose(1, 2).contiguous()
    for name, x, y, xs, ys in [
        ("plain", a, b, [12, 4, 1], [20, 5, 1]), ("transposed a", t(a), b, [12, 1, 3], [20, 5, 1]),
        ("transposed b", a, t(b), [12, 4, 1], [20, 1, 4]), ("both", t(a), t(b), [12, 1, 3], [20, 1, 4]),
    ]:  # fmt: skip
        for accumulate in [False, True]:
            shape = {**plain, "aStrides": xs, "bStrides": ys, "accumulate": accumulate}
            case("gemm", name, {"start": start, "a": x, "b": y, "out": out + start.double() if accumulate else out}, shape=shape)
    geometries = [
        ("plain", 2, 3, 4, (6, 5), (3, 3), (1, 1), (0, 0), (1, 1), 1, True),
        ("stride, padding", 2, 2, 3, (7, 6), (3, 2), (2, 3), (1, 1), (1, 1), 1, False),
        ("dilation, groups", 1, 4, 6, (9, 8), (3, 3), (1, 2), (2, 1), (2, 3), 2, True),
        ("depthwise", 2, 3, 6, (5, 5), (3, 3), (2, 2), (1, 1), (1, 1), 3, True),
        ("wide padding, one column", 1, 2, 2, (4, 1), (3, 3), (1, 1), (3, 2), (1, 1), 1, True),
        ("1-D", 2, 3, 4, (1, 11), (1, 4), (1, 2), (0, 3), (1, 2), 1, True),
        ("kernel 1", 2, 3, 4, (4, 4), (1, 1), (2, 2), (0, 0), (1, 1), 1, False),
    ]
    for name, n, cin, cout, size, kernel, stride, padding, dilation, groups, with_bias in geometries:
        x = torch.randn(n, cin, *size)
        w = torch.randn(cout, cin // groups, *kernel)
        bias = torch.randn(cout) if with_bias else None
        xd, wd = x.double().requires_grad_(), w.double().requires_grad_()
        out = F.conv2d(xd, wd, bias.double() if with_bias else None, stride, padding, dilation, groups)
        g = torch.randn(out.shape)
        gx, gw = torch.autograd.grad(out, [xd, wd], g.double())
        both = lambda key, pair: {f"{key}Height": pair[0], f"{key}Width": pair[1]}
        shape = {
            "batch": n, "inChannels": cin, "outChannels": cout, "groups": groups, **both("in", size), **both("out", out.shape[2:]),
            **both("kernel", kernel), **both("stride", stride), **both("padding", padding), **both("dilation", dilation),
        }  # fmt: skip
        tensors = {"x": x, "w": w, "bias": bias, "out": out, "g": g, "gx": gx, "gw": gw, "gb": g.double().sum((0, 2, 3))}
        case("conv2d", name, tensors, shape=shape)


def pools():
    geometries = [
        ("2x2", (6, 6), (2, 2), (2, 2), (0, 0), (1, 1), False), ("3x3 stride 2 padding 1", (7, 5), (3, 3), (2, 2), (1, 1), (1, 1), False),
        ("dilated", (9, 8), (3, 2), (2, 1), (1, 1), (2, 3), False), ("ceil", (6, 7), (3, 3), (2, 2), (1, 1), (1, 1), True),
        ("overlapping", (5, 5), (3, 3), (1, 1), (0, 0), (1, 1), False),
    ]  # fmt: skip
    for name, size, kernel, stride, padding, dilation, ceil in geometries:
        both = lambda key, pair: {f"{key}Height": pair[0], f"{key}Width": pair[1]}
        x = torch.randn(1, 2, *size)
        x[0, 0] = x[0, 0].round()
        t = x.double().requires_grad_()
        out, indices = F.max_pool2d(t, kernel, stride, padding, dilation, ceil, return_indices=True)
        g = torch.randn(out.shape)
        (gx,) = torch.autograd.grad(out, t, g.double())
        shape = {"planes": 2, **both("in", size), **both("out", out.shape[2:]), **both("kernel", kernel), **both("stride", stride), **both("padding", padding)}
        case("maxPool2d", name, {"x": x, "out": out, "indices": indices, "g": g, "gx": gx}, shape={**shape, **both("dilation", dilation), "countIncludePad": True, "divisorOverride": 0})
        for include, divisor in [(True, 0), (False, 0), (True, 5)] if ceil else [(False, 0)]:
            out = F.avg_pool2d(t, kernel, stride, padding, ceil, include, divisor or None)
            g = torch.randn(out.shape)
            (gx,) = torch.autograd.grad(out, t, g.double())
            shape |= both("out", out.shape[2:])
            case("avgPool2d", name, {"x": x, "out": out, "g": g, "gx": gx}, shape={**shape, **both("dilation", (1, 1)), "countIncludePad": include, "divisorOverride": divisor})
    for size, target in [((7, 5), (3, 2)), ((6, 6), (1, 1)), ((4, 5), (6, 7))]:
        x = torch.randn(1, 2, *size)
        t = x.double().requires_grad_()
        shape = {"planes": 2, **both("in", size), **both("out", target)}
        shape |= {f"{k}{side}": v for k, v in [("kernel", 0), ("stride", 0), ("padding", 0), ("dilation", 0)] for side in ["Height", "Width"]}
        shape |= {"countIncludePad": False, "divisorOverride": 0}
        out = F.adaptive_avg_pool2d(t, target)
        g = torch.randn(out.shape)
        (gx,) = torch.autograd.grad(out, t, g.double())
        case("adaptiveAvgPool2d", str(size), {"x": x, "out": out, "g": g, "gx": gx}, shape=shape)
        out, indices = F.adaptive_max_pool2d(t, target, return_indices=True)
        (gx,) = torch.autograd.grad(out, t, g.double())
        case("adaptiveMaxPool2d", str(size), {"x": x, "out": out, "indices": indices, "g": g, "gx": gx}, shape=shape)


def norms():
    """Batch norm step by step. Contiguous float32 with spatial size > 1 is PyTorch's own result; else it is computed in float64."""
    for shape in [(2, 2, 5), (2, 2, 3, 4), (2, 2, 17), (4, 1, 2), (6, 2), (5, 1, 1)]:
        for affine in [True, False]:
            channels, inner = shape[1], int(torch.tensor(shape[2:]).prod())
            exact = inner > 1
            kind = torch.float32 if exact else torch.float64
            weight, bias = (torch.randn(channels), torch.randn(channels)) if affine else (None, None)
            w, b = (weight.to(kind), bias.to(kind)) if affine else (None, None)
            rm, rv = torch.zeros(channels, dtype=kind), torch.ones(channels, dtype=kind)
            steps = []
            for offset in [0.0, 3.0, 100.0]:
                x, g = torch.randn(shape) * 2 + offset, torch.randn(shape)
                args = (x.to(kind), w, b, rm, rv)
                y, mean, invstd = torch.native_batch_norm(*args, True, 0.1, 1e-5)
                gx, gw, gb = torch.ops.aten.native_batch_norm_backward(g.to(kind), args[0], w, rm, rv, mean, invstd, True, 1e-5, [True] * 3)
                evaluated = torch.native_batch_norm(*args, False, 0.1, 1e-5)[0]
                tensors = {"x": x, "g": g, "y": y, "mean": mean, "invstd": invstd, "runningMean": rm.clone(), "runningVar": rv.clone(), "eval": evaluated, "gx": gx}
                if affine:
                    tensors |= {"gw": gw, "gb": gb}
                steps.append({k: encode(t) for k, t in tensors.items()})
            case("batchNorm", str(list(shape)), {"weight": weight, "bias": bias}, view=[shape[0], channels, inner], exact=exact, steps=steps)
    kinds = [
        ("layer norm", dict(rows=6, groups=1, channels=7, inner=1)), ("group norm", dict(rows=6, groups=2, channels=3, inner=4)),
        ("instance norm", dict(rows=8, groups=4, channels=1, inner=9)), ("no weight", dict(rows=5, groups=1, channels=6, inner=1)),
    ]  # fmt: skip
    for name, s in kinds:
        x = torch.randn(s["rows"], s["channels"], s["inner"]) * 2 + 3
        g = torch.randn(x.shape)
        n = s["groups"] * s["channels"]
        weight, bias = (None, None) if name == "no weight" else (torch.randn(n), torch.randn(n))
        leaves = [t.double().requires_grad_() for t in ([x] if weight is None else [x, weight, bias])]
        d = leaves[0]
        xhat = F.layer_norm(d, d.shape[1:], eps=1e-5)
        y = xhat
        if weight is not None:
            lay = lambda t: t.reshape(s["groups"], s["channels"], 1).repeat(s["rows"] // s["groups"], 1, 1)
            y = xhat * lay(leaves[1]) + lay(leaves[2])
        grads = torch.autograd.grad(y, leaves, g.double())
        mean = d.mean((1, 2))
        invstd = 1 / (d.var((1, 2), unbiased=False) + 1e-5).sqrt()
        tensors = {"x": x, "weight": weight, "bias": bias, "g": g, "y": y, "mean": mean, "invstd": invstd, "gx": grads[0]}
        if weight is not None:
            tensors |= {"gw": grads[1], "gb": grads[2]}
        case("rowNorm", name, tensors, shape=s)


def optimizers():
    """PyTorch's own parameters after each of four steps: 21 elements go through its vector loop and its remainder."""
    sgd = dict(momentum=0, dampening=0, weightDecay=0, nesterov=False, maximize=False)
    adam = dict(beta1=0.9, beta2=0.999, eps=1e-8, weightDecay=0, decoupled=False, maximize=False, amsgrad=False)
    rms = dict(alpha=0.99, eps=1e-8, weightDecay=0, momentum=0, centered=False, maximize=False)
    o = torch.optim
    runs = [
        ("sgd", o.SGD, dict(lr=0.1), sgd), ("sgd", o.SGD, dict(lr=0.05, momentum=0.9, weight_decay=5e-4), sgd),
        ("sgd", o.SGD, dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3), sgd),
        ("sgd", o.SGD, dict(lr=0.03, momentum=0.8, dampening=0.3, maximize=True), sgd),
        ("adam", o.Adam, dict(lr=1e-3), adam), ("adam", o.Adam, dict(lr=1e-2, weight_decay=0.01, amsgrad=True, betas=(0.8, 0.99)), adam),
        ("adam", o.AdamW, dict(lr=1e-2, weight_decay=0.05), {**adam, "decoupled": True}),
        ("adam", o.AdamW, dict(lr=1e-2, weight_decay=0, eps=1e-3, maximize=True, amsgrad=True), {**adam, "decoupled": True}),
        ("rmsprop", o.RMSprop, dict(lr=1e-2), rms), ("rmsprop", o.RMSprop, dict(lr=1e-2, momentum=0.9, weight_decay=0.01), rms),
        ("rmsprop", o.RMSprop, dict(lr=1e-2, centered=True, momentum=0.5, alpha=0.9), rms),
    ]  # fmt: skip
    for dtype in [torch.float32, torch.float64]:
        for kernel, make, options, base in runs:
            step = {**base, **{k: v for k, v in options.items() if k not in ("betas", "weight_decay")}}
            step["weightDecay"] = options.get("weight_decay", 0)
            if "betas" in options:
                step["beta1"], step["beta2"] = options["betas"]
            start = torch.randn(21 if dtype == torch.float32 else 5, dtype=dtype)
            p = torch.nn.Parameter(start.clone())
            optimizer = make([p], **options)
            steps = []
            for _ in range(4):
                p.grad = torch.randn(p.shape, dtype=dtype)
                optimizer.step()
                steps.append({"grad": encode(p.grad), "param": encode(p)})
            case(kernel, make.__name__, {"start": start}, step=step, steps=steps)


for make in [unary, unary_grad, binary, convert, reductions, indexing, linear, pools, norms, optimizers]:
    make()
write("kernels", CASES)
