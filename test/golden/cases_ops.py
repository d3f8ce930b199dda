"""ops.json: single operations with their gradients."""

import torch
import torch.nn.functional as F

from encode import encode, options


def cases():
    return [*elementwise(), *reductions(), *products(), *rearranging(), *activations(), *losses()]


def normal(rng, *shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype).normal_(generator=rng)


def positive(rng, *shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype).uniform_(0.2, 3, generator=rng)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def case(name, op, f, inputs, args=(), kwargs=None, constant=()):
    """Runs f on the inputs; floating inputs that are not constant get gradients if the first output has one."""
    leaves = [t.detach().clone().requires_grad_(t.is_floating_point() and i not in constant) for i, t in enumerate(inputs)]
    outputs = f(*leaves)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    plain = {k: encode(v) if torch.is_tensor(v) else v for k, v in options(kwargs or {}).items()}
    shapes = ", ".join(str(list(t.shape)) for t in inputs)
    entry = {"name": f"{op}{' ' + name if name else ''} {shapes} {inputs[0].dtype}".replace("torch.", ""), "op": op}
    entry |= {"inputs": [encode(t) for t in inputs], "args": list(args), "options": plain}
    entry["outputs"] = [encode(t) for t in outputs]
    if outputs[0].requires_grad:
        g = normal(generator(77), *outputs[0].shape, dtype=outputs[0].dtype)
        outputs[0].backward(g)
        entry["gradOutput"] = encode(g)
        entry["gradInputs"] = [encode(t.grad) for t in leaves]
    return entry


def elementwise():
    rng = generator(1)
    shapes = [((2, 3), (2, 3)), ((4, 1, 5), (3, 1)), ((3,), (2, 3)), ((), (2, 2)), ((2, 3, 4), ()), ((1, 17), (3, 17)), ((0, 3), (1, 3))]
    binary = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
        "maximum": torch.maximum, "minimum": torch.minimum,
    }  # fmt: skip
    for op, f in binary.items():
        for a, b in shapes:
            yield case("", op, f, [normal(rng, *a), positive(rng, *b)])
    yield case("float64", "add", torch.add, [normal(rng, 2, 1, dtype=torch.float64), normal(rng, 2, dtype=torch.float64)])
    yield case("mixed", "mul", torch.mul, [normal(rng, 2, 2), normal(rng, 2, dtype=torch.float64)])
    yield case("alpha", "add", lambda a, b: torch.add(a, b, alpha=2.5), [normal(rng, 3), normal(rng, 3)], (), {"alpha": 2.5})
    yield case("", "pow", torch.pow, [positive(rng, 2, 3), normal(rng, 3)])
    for e in (2, 3, 0.5, -1):
        yield case(f"scalar {e}", "pow", lambda a: a.pow(e), [positive(rng, 7)], [e])
    for op in ("add", "sub", "mul", "div"):
        yield case("scalar", op, lambda a: getattr(torch, op)(a, 1.7), [normal(rng, 2, 5)], [1.7])

    unary = {
        "neg": normal, "abs": normal, "exp": normal, "log": positive, "sqrt": positive, "rsqrt": positive, "square": normal,
        "reciprocal": positive, "sin": normal, "cos": normal, "tanh": normal, "sigmoid": normal, "erf": normal,
        "sign": normal, "floor": normal, "ceil": normal, "round": normal, "log1p": positive, "expm1": normal,
    }  # fmt: skip
    for op, draw in unary.items():
        yield case("", op, getattr(torch, op), [draw(rng, 3, 7) * 1.5])
        yield case("", op, getattr(torch, op), [draw(rng, 5, dtype=torch.float64)])
    yield case("", "clamp", lambda a: a.clamp(-0.5, 0.8), [normal(rng, 17)], (), {"min": -0.5, "max": 0.8})
    yield case("", "clamp", lambda a: a.clamp(min=0.1), [normal(rng, 17)], (), {"min": 0.1})

    a, b = torch.tensor([1.0, 2, 3, float("nan")]), torch.tensor([[2.0], [float("inf")]])
    for op in ("eq", "ne", "lt", "le", "gt", "ge"):
        yield case("", op, getattr(torch, op), [a, b])
        yield case("", op, getattr(torch, op), [torch.tensor([1, 2, 3]), torch.tensor([3, 2, 1])])
    cond = torch.tensor([[True, False, True]])
    yield case("", "where", torch.where, [cond, normal(rng, 2, 3), normal(rng, 2, 1)])


def reductions():
    rng = generator(2)
    dims = [None, 0, 1, -1, [0, 2], [0, 1, 2]]
    for shape in ((3, 5, 7), (2, 1, 17)):
        for dim in dims:
            for keepdim in (False, True):
                if dim is None and keepdim:
                    continue
                kwargs = {} if dim is None else {"dim": dim, "keepdim": keepdim}
                label = f"dim={dim} keepdim={keepdim}"
                for op in ("sum", "mean"):
                    f = getattr(torch, op)
                    yield case(label, op, lambda a: f(a, **kwargs), [normal(rng, *shape)], (), kwargs)
                for op in ("var", "std"):
                    f = getattr(torch, op)
                    for correction in (1, 0):
                        with_correction = {"dim": dim, "correction": correction, "keepdim": keepdim}
                        if shape == (2, 1, 17) and dim == 1:
                            continue
                        listed = with_correction if dim is not None else {"correction": correction}
                        yield case(f"{label} correction={correction}", op, lambda a: f(a, **with_correction), [normal(rng, *shape) + 2], (), listed)
    yield case("", "sum", torch.sum, [torch.arange(7)])
    yield case("", "sum", torch.sum, [torch.tensor([True, False, True])])
    yield case("float64", "mean", torch.mean, [normal(rng, 3, 3, dtype=torch.float64)])
    for op in ("max", "min"):
        f = getattr(torch, op)
        yield case("all", op, f, [normal(rng, 4, 5)])
        for dim in (0, 1):
            for keepdim in (False, True):
                kwargs = {"dim": dim, "keepdim": keepdim}
                yield case(f"dim={dim} keepdim={keepdim}", op, lambda a: f(a, **kwargs), [normal(rng, 4, 5)], (), kwargs)
        yield case("ties dim=1", op, lambda a: f(a, dim=1), [torch.tensor([[2.0, 2, 1], [1, 3, 3]])], (), {"dim": 1})
        yield case("ties all", op, f, [torch.tensor([2.0, 2, 1, 1])])
    for op in ("amax", "amin"):
        yield case("ties", op, lambda a: getattr(torch, op)(a, dim=1), [torch.tensor([[2.0, 2, 1], [1, 1, 3]])], (), {"dim": 1})
    for op in ("argmax", "argmin"):
        f = getattr(torch, op)
        x = torch.tensor([[1.0, 5, 5], [7, -2, -2]])
        yield case("all", op, f, [x])
        yield case("dim=1", op, lambda a: f(a, dim=1), [x], (), {"dim": 1})
        yield case("keepdim", op, lambda a: f(a, dim=0, keepdim=True), [x], (), {"dim": 0, "keepdim": True})


def products():
    rng = generator(3)
    for a, b in (
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((1, 1), (1, 1)), ((5, 17), (17, 9)), ((4, 2, 3), (3,)),
        ((4, 2, 3), (3, 5)), ((4, 2, 3), (4, 3, 5)), ((2, 1, 2, 3), (4, 3, 2)), ((3,), (2, 3, 4)), ((1, 2, 3), (5, 3, 2)),
        ((13, 7), (7, 11)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
    ):  # fmt: skip
        yield case("", "matmul", torch.matmul, [normal(rng, *a), normal(rng, *b)])
    yield case("float64", "matmul", torch.matmul, [normal(rng, 3, 4, dtype=torch.float64), normal(rng, 4, 2, dtype=torch.float64)])
    yield case("transposed", "matmulTransposed", lambda a, b: a.T @ b.T, [normal(rng, 4, 3), normal(rng, 5, 4)])


def rearranging():
    rng = generator(4)
    x = [normal(rng, 2, 3), normal(rng, 1, 3), normal(rng, 4, 3)]
    yield case("dim=0", "cat", lambda *t: torch.cat(t), x, (), {"dim": 0})
    y = [normal(rng, 2, 3, 2), normal(rng, 2, 1, 2)]
    yield case("dim=1", "cat", lambda *t: torch.cat(t, 1), y, (), {"dim": 1})
    yield case("dim=-2", "cat", lambda *t: torch.cat(t, -2), y, (), {"dim": -2})
    for dim in (0, 1, 2, -1):
        z = [normal(rng, 2, 3), normal(rng, 2, 3)]
        yield case(f"dim={dim}", "stack", lambda *t: torch.stack(t, dim), z, (), {"dim": dim})
    index = torch.tensor([[0, 2, 1], [1, 1, 0]])
    yield case("dim=1", "gather", lambda a, i: torch.gather(a, 1, i), [normal(rng, 2, 3), index], [1])
    yield case("dim=0", "gather", lambda a, i: torch.gather(a, 0, i), [normal(rng, 3, 3), index], [0])
    for dim in (0, 1, -1):
        yield case(f"dim={dim}", "indexSelect", lambda a, i: torch.index_select(a, dim, i), [normal(rng, 4, 3, 3), torch.tensor([2, 0, 2])], [dim])


def activations():
    rng = generator(5)
    plain = {
        "relu": F.relu, "relu6": F.relu6, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu,
    }  # fmt: skip
    edge = torch.tensor([0.0, -0.0, 6.0, 7.5, -30.0, 30.0, 100.0, -100.0])
    for op, f in plain.items():
        yield case("", op, f, [normal(rng, 3, 7) * 3])
        yield case("edges", op, f, [edge])
        yield case("float64", op, f, [normal(rng, 5, dtype=torch.float64)])
    yield case("", "leakyRelu", lambda a: F.leaky_relu(a, 0.2), [normal(rng, 3, 7)], (), {"negative_slope": 0.2})
    yield case("default", "leakyRelu", F.leaky_relu, [normal(rng, 3, 7)])
    yield case("tanh", "gelu", lambda a: F.gelu(a, approximate="tanh"), [normal(rng, 3, 7)], (), {"approximate": "tanh"})
    for op, f in (("softmax", F.softmax), ("logSoftmax", F.log_softmax)):
        for shape, dim in (((5,), 0), ((3, 5), 1), ((3, 5), 0), ((2, 3, 4), 1), ((2, 17), -1), ((3, 1), 1)):
            yield case(f"dim={dim}", op, lambda a: f(a, dim), [normal(rng, *shape) * 3], [dim])
        yield case("large", op, lambda a: f(a, 1), [torch.tensor([[1000.0, 999, -1000], [-1e4, -1e4, -1e4]])], [1])
        yield case("float64", op, lambda a: f(a, 0), [normal(rng, 5, dtype=torch.float64)], [0])


def losses():
    rng = generator(6)
    labels = lambda n, c: torch.randint(0, c, n, generator=rng)
    reductions_ = ("mean", "sum", "none")
    for shape in ((5, 7), (3, 4, 6), (2, 3, 2, 5)):
        c = shape[1]
        target = labels((shape[0], *shape[2:]), c)
        weight = positive(rng, c)
        ignored = target.clone()
        ignored.view(-1)[::3] = -100
        own = {"weight": weight, "ignore_index": 1}
        for reduction in reductions_:
            for kwargs, t in (
                ({}, target), ({"weight": weight}, target), ({}, ignored), (own, target),
                ({"label_smoothing": 0.1}, target), ({"label_smoothing": 0.2, "weight": weight}, ignored),
            ):  # fmt: skip
                kwargs = kwargs | {"reduction": reduction}
                label = " ".join(k if torch.is_tensor(v) else f"{k}={v}" for k, v in kwargs.items()) + (" ignored" if t is ignored else "")
                f = lambda a, b: F.cross_entropy(a, b, **kwargs)
                yield case(label, "crossEntropy", f, [normal(rng, *shape), t], (), kwargs)
                if "label_smoothing" not in kwargs:
                    f = lambda a, b: F.nll_loss(a, b, **kwargs)
                    yield case(label, "nllLoss", f, [F.log_softmax(normal(rng, *shape), 1), t], (), kwargs)
    probabilities = F.softmax(normal(rng, 4, 5), 1)
    yield case("probabilities", "crossEntropy", F.cross_entropy, [normal(rng, 4, 5), probabilities])
    yield case("unbatched", "crossEntropy", F.cross_entropy, [normal(rng, 5), torch.tensor(3)])
    yield case("float64", "crossEntropy", F.cross_entropy, [normal(rng, 4, 5, dtype=torch.float64), labels((4,), 5)])
    for reduction in reductions_:
        kwargs = {"reduction": reduction}
        yield case(reduction, "mseLoss", lambda a, b: F.mse_loss(a, b, **kwargs), [normal(rng, 3, 5), normal(rng, 3, 5)], (), kwargs)
        p = torch.sigmoid(normal(rng, 3, 5))
        t = torch.rand(3, 5, generator=rng)
        yield case(reduction, "binaryCrossEntropy", lambda a, b: F.binary_cross_entropy(a, b, **kwargs), [p, t], (), kwargs, [1])
        w = kwargs | {"weight": positive(rng, 5)}
        yield case(f"weight {reduction}", "binaryCrossEntropy", lambda a, b: F.binary_cross_entropy(a, b, **w), [p, t], (), w, [1])
        for more in ({}, {"weight": positive(rng, 5)}, {"pos_weight": positive(rng, 5)}, {"weight": positive(rng, 3, 1), "pos_weight": positive(rng, 5)}):
            kw = kwargs | more
            label = " ".join([*more, reduction])
            x = normal(rng, 3, 5) * 4
            f = lambda a, b: F.binary_cross_entropy_with_logits(a, b, **kw)
            yield case(label, "binaryCrossEntropyWithLogits", f, [x, t], (), kw, [1])
    edges = torch.tensor([0.0, 1.0, 0.0, 1.0])
    t = torch.tensor([0.0, 0.0, 1.0, 1.0])
    yield case("edges", "binaryCrossEntropy", lambda a, b: F.binary_cross_entropy(a, b), [edges, t], constant=[1])
