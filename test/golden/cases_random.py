"""random.json: the generator's draws, the orders of shuffled loaders and the masks of dropout."""

import torch
from torch.utils.data import DataLoader

from encode import encode

SIZES = (1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 48, 100)


def cases():
    return [*draws(), *loaders(), *dropouts(), *states()]


def f32(method, length, *args):
    return {"method": method, "dtype": "float32", "length": length, "args": list(args)}


def draws():
    for dtype in ("float32", "float64"):
        for method, args in (("fillUniform", []), ("fillUniform", [-0.3, 1.1]), ("fillNormal", []), ("fillNormal", [0.7, 1.3])):
            calls = [{"method": method, "dtype": dtype, "length": n, "args": args} for n in SIZES]
            yield record(f"{method} {args or ''} {dtype}", 11, calls)
    yield record("fillNormal of a thousand", 5, [f32("fillNormal", 1000)])
    for seed in (0, 1, 42, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 123456789012345, -1, -(2**63), 2**64 - 1):
        yield record(f"seed {seed}", seed, [f32("fillUniform", 5), f32("fillNormal", 5)])
    integers = [
        ("int64", 0, 10), ("int64", -5, 5), ("int64", 0, 1), ("int64", 0, 2**31), ("int64", 0, 2**32 - 1), ("int64", 0, 2**32),
        ("int64", -(2**40), 2**40), ("int64", 0, 2**63 - 1), ("int32", -100, 100), ("int32", 0, 2**31 - 1), ("uint8", 0, 256),
        ("uint8", 3, 7), ("float32", -3, 17), ("float64", 0, 2**40),
    ]  # fmt: skip
    calls = [{"method": "fillRandint", "dtype": d, "length": 7, "args": [str(a), str(b)]} for d, a, b in integers]
    yield record("integers", 3, calls)
    yield record("permutations", 42, [{"method": "randperm", "args": [n]} for n in (10, 0, 1, 2, 3, 17, 100, 1000)])
    yield record("bernoulli", 8, [{"method": "fillBernoulli", "dtype": d, "length": 40, "args": [p]} for d in ("float32", "float64", "uint8") for p in (0.5, 0.9, 0.0, 1.0, 0.123)])
    mixed = [
        f32("fillNormal", 3), f32("fillUniform", 5), f32("fillNormal", 1), f32("fillNormal", 20), f32("fillNormal", 2),
        {"method": "randperm", "args": [5]}, {"method": "randomInt64", "args": []}, f32("fillNormal", 1),
        {"method": "fillNormal", "dtype": "float64", "length": 3, "args": [1, 2]}, f32("fillBernoulli", 9, 0.3),
        {"method": "fillRandint", "dtype": "int64", "length": 3, "args": ["0", str(2**40)]}, f32("fillNormal", 15, 0, 0.02),
        {"method": "fillRandint", "dtype": "int64", "length": 3, "args": ["0", "7"]}, f32("fillUniform", 650), f32("fillNormal", 16),
    ]  # fmt: skip
    for seed in (0, 1, 77):
        yield record(f"mixed, seed {seed}", seed, mixed)


def record(name, seed, calls):
    rng = torch.Generator().manual_seed(seed)
    return {"kind": "draws", "name": name, "seed": str(seed), "calls": [c | {"result": draw(rng, **c)} for c in calls]}


def draw(rng, method, args, dtype=None, length=None):
    if method == "randperm":
        return torch.randperm(args[0], generator=rng).tolist()
    if method == "randomInt64":
        return str(torch.empty((), dtype=torch.int64).random_(generator=rng).item())
    out = torch.empty(length, dtype=getattr(torch, dtype))
    if method == "fillRandint":
        args = [int(a) for a in args]
    fill = {"fillUniform": out.uniform_, "fillNormal": out.normal_, "fillRandint": out.random_, "fillBernoulli": out.bernoulli_}
    return encode(fill[method](*args, generator=rng))


def loaders():
    for seed, length, batch, shuffle, drop in (
        (0, 10, 3, True, False), (0, 10, 3, True, True), (42, 17, 4, True, False), (1, 5, 5, True, False), (7, 6, 1, True, False),
        (3, 4, 10, True, False), (3, 4, 10, True, True), (5, 9, 2, False, False), (5, 9, 2, False, True), (123, 100, 32, True, False),
    ):  # fmt: skip
        torch.manual_seed(seed)
        loader = DataLoader(range(length), batch_size=batch, shuffle=shuffle, drop_last=drop)
        epochs = [[b.tolist() for b in loader] for _ in range(3)]
        entry = {"kind": "loader", "name": f"{length} in batches of {batch}, shuffle={shuffle}, dropLast={drop}", "seed": seed, "length": length}
        yield entry | {"batchSize": batch, "shuffle": shuffle, "dropLast": drop, "epochs": epochs, "after": encode(torch.rand(3))}


def dropouts():
    for seed, shape, p in ((0, (4, 5), 0.5), (1, (3, 7), 0.2), (2, (17,), 0.9), (3, (2, 3), 0.0), (4, (2, 3), 1.0), (5, (2, 3, 4, 4), 0.3)):
        torch.manual_seed(seed)
        x = torch.randn(shape, requires_grad=True)
        y = torch.nn.functional.dropout(x, p)
        g = torch.randn(shape)
        y.backward(g)
        entry = {"kind": "dropout", "name": f"dropout({p}) on {list(shape)}", "seed": seed, "p": p, "input": encode(x), "output": encode(y)}
        yield entry | {"gradOutput": encode(g), "gradInput": encode(x.grad)}


def states():
    for seed, drawn in ((0, 0), (5, 3), (5, 4), (9, 1000), (2**40 + 1, 624)):
        rng = torch.Generator().manual_seed(seed)
        torch.randn(drawn, generator=rng)
        yield {"kind": "state", "name": f"seed {seed} after randn({drawn})", "seed": seed, "drawn": drawn, "state": encode(rng.get_state())}
