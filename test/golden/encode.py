"""How golden numbers are written: see make.py for the schema."""

import base64
import hashlib
import json
import math
import pathlib
import re

import torch

HERE = pathlib.Path(__file__).parent


def encode(t):
    """A tensor with all its elements: base64 of the little-endian values; bools are bytes."""
    if t is None:
        return None
    t = t.detach().contiguous()
    raw = t.view(torch.int16) if t.dtype == torch.bfloat16 else t
    return {"dtype": dtype_name(t), "shape": list(t.shape), "data": base64.b64encode(raw.numpy().tobytes()).decode()}


def sample(t, every):
    """A large tensor: the hash of all its bytes, and every so-manieth element to look at when the hash differs."""
    t = t.detach().contiguous()
    data = t.reshape(-1)[::every].contiguous().numpy().tobytes()
    return {
        "dtype": dtype_name(t),
        "shape": list(t.shape),
        "sha256": hashlib.sha256(t.numpy().tobytes()).hexdigest(),
        "every": every,
        "data": base64.b64encode(data).decode(),
    }


def drawn(shape, seed, mean=0.0, std=1.0, dtype=torch.float32):
    """A large random tensor, and its description by seed: normal_(mean, std) of a generator that starts with the seed."""
    t = torch.empty(shape, dtype=dtype).normal_(mean, std, generator=torch.Generator().manual_seed(seed))
    return t, {"dtype": dtype_name(t), "shape": list(shape), "seed": seed, "mean": mean, "std": std}


def dtype_name(t):
    return str(t.dtype).removeprefix("torch.")


def number(x):
    """A JSON number; what JSON cannot say becomes "nan", "inf" or "-inf"."""
    return x if math.isfinite(x) else str(x)


def camel(name):
    return re.sub(r"_(\w)", lambda m: m[1].upper(), name)


def options(kwargs):
    """PyTorch's keyword arguments in our spelling; dtypes by name, tuples as lists."""
    plain = lambda v: str(v).removeprefix("torch.") if isinstance(v, torch.dtype) else v
    return {camel(k): plain(v) for k, v in kwargs.items()}


def write(name, cases):
    """One case a line, so that a changed case is a changed line."""
    head = json.dumps({"torch": torch.__version__.split("a")[0]})[:-1]
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path = HERE / f"{name}.json"
    path.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size / 1e3:.0f} kB")
