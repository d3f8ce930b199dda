"""Runs cases in PyTorch for main.ts: reads them from stdin and writes what came out to stdout until stdin ends.

A message is two uint32 (little-endian: the lengths of both parts), JSON, and the tensors' bytes one after another. A tensor in the
JSON is {"dtype", "shape", "offset", "layout"?}: the offset into the bytes; the layout is applied to it. float16 and bfloat16 numbers come and
go as float32. A case with "truth": true is answered with what it comes to exactly, see truth.py.
"""

import ctypes
import json
import struct
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from truth import Truth, in_two


class RMSNorm(nn.Module):
    """PyTorch has it from 2.4 on."""

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, dtype=None):
        super().__init__()
        self.shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(self.shape, dtype=dtype)) if elementwise_affine else None

    def forward(self, x):
        return rms_norm(x, self.shape, self.weight, self.eps)


def rms_norm(x, normalized_shape, weight=None, eps=None):
    """x / sqrt(mean(x * x) + eps) * weight, in float64: PyTorch's own loses gradients of inputs beyond 1e12, whose root's derivative underflows."""
    if list(x.shape[-len(normalized_shape) :]) != list(normalized_shape):
        shown = ", ".join(map(str, normalized_shape))
        size = ", ".join(map(str, x.shape))
        raise RuntimeError(f"Given normalized_shape=[{shown}], expected input with shape [*, {shown}], but got input of size[{size}]")
    dims = tuple(range(-len(normalized_shape), 0))
    # that of the precision it computes in
    eps = torch.finfo(torch.float64 if x.dtype == torch.float64 else torch.float32).eps if eps is None else eps
    wide = x.double()
    y = wide * torch.rsqrt(wide.square().mean(dims, keepdim=True) + eps)
    return (y if weight is None else y * weight).to(x.dtype)


REDUCED = (torch.float16, torch.bfloat16)
EXACT = {"nn": {"RMSNorm": RMSNorm}, "F": {"rms_norm": rms_norm}}


def named(where, name):
    return EXACT[where].get(name) or getattr({"nn": nn, "F": F}[where], name)


def as_dtype(options):
    return {k: getattr(torch, v) if k == "dtype" else v for k, v in options.items()}


class Case:
    def __init__(self, case, data, wide=False):
        self.case = case
        self.data = data
        # everything in float64
        self.wide = wide
        self.state = {k: self.tensor(v) for k, v in case["state"].items()}
        self.learned = [k for k in self.state if k in ("weight", "bias")]
        if case["kind"] == "module":
            self.module = named("nn", case["name"])(*case["args"], **as_dtype(case["options"]))
            if wide:
                self.module.double()
            self.module.load_state_dict(self.state, strict=False)
        else:
            for key in self.learned:
                self.state[key].requires_grad_()

    def tensor(self, written):
        dtype = getattr(torch, written["dtype"])
        stored = torch.float32 if dtype in REDUCED else dtype
        count = 1
        for size in written["shape"]:
            count *= size
        if count == 0:
            x = torch.empty(written["shape"])
        else:
            x = torch.frombuffer(self.data, dtype=stored, count=count, offset=written["offset"]).view(written["shape"])
        x = x.to(torch.float64 if self.wide else dtype, copy=True)
        layout = written.get("layout")
        if layout:
            x = x.permute(layout["permute"])
            dim, start, step = layout["slice"]
            x = x[(slice(None),) * dim + (slice(start, None, step),)]
        return x.detach()

    def call(self, x, training):
        if self.case["kind"] == "module":
            return self.module.train(training)(x)
        value = lambda v: x if v == "$input" else self.state.get(v[1:]) if isinstance(v, str) and v[0] == "$" else v
        options = {k: value(v) for k, v in self.case["options"].items()}
        return named("F", self.case["name"])(*map(value, self.case["args"]), **options)

    def contiguous(self, x):
        """For exact results: of some layouts PyTorch 1.13's backward takes the elements in another order (instance norm, channels-last upstream gradient)."""
        return x.clone(memory_format=torch.contiguous_format) if self.wide else x

    def twice(self, x, y, g, upstream):
        """gradInput, and the gradients of its product with `upstream`."""
        (grad,) = torch.autograd.grad(y, x, g, create_graph=True)
        parameters = dict(self.module.named_parameters()) if self.case["kind"] == "module" else {k: self.state[k] for k in self.learned}
        wanted = {"input": x, "grad_output": g, **({"weight": parameters["weight"]} if "weight" in parameters else {})}
        found = torch.autograd.grad(grad, list(wanted.values()), upstream, allow_unused=True)
        return {"grad_input": grad.detach(), **{f"twice_{k}": v for k, v in zip(wanted, found) if v is not None}}

    def step(self, step):
        tensor = lambda name: self.contiguous(self.tensor(step[name]))
        x = tensor("input").requires_grad_()
        if self.case["kind"] == "module":
            self.module.zero_grad(set_to_none=True)
        else:
            for key in self.learned:
                self.state[key].grad = None
        y = self.call(x, step["training"])
        out = {"output": y.detach()}
        g = tensor("gradOutput")
        if "gradTwice" in step:
            out.update(self.twice(x, y, g.requires_grad_(), tensor("gradTwice")))
        elif y.requires_grad:
            y.backward(g)
            out["grad_input"] = x.grad
        if self.case["kind"] == "module":
            tensors = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        else:
            tensors = self.state
        for key, value in tensors.items():
            if isinstance(value, nn.Parameter) or key in self.learned:
                if value.grad is not None:
                    out["grad_" + key] = value.grad
            else:
                out[key] = value.clone()
        return out


def write(x, blob):
    """Appends a tensor to the bytes."""
    written = {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "offset": len(blob)}
    x = (x.float() if x.dtype in REDUCED else x).contiguous()
    blob += ctypes.string_at(x.data_ptr(), x.numel() * x.element_size()) if x.numel() else b""
    blob += bytes(-len(blob) % 8)
    return written


def answer(case, data):
    if case.get("truth"):
        return exactly(case, data)
    steps, blob = [], bytearray()
    error = None
    try:
        running = Case(case, data)
        for step in case["steps"]:
            steps.append({name: write(x, blob) for name, x in running.step(step).items()})
    except Exception as e:  # what PyTorch raises is compared too
        error = str(e)
    return {"steps": steps, "error": error}, blob


def exactly(case, data):
    """Every result as two float64, and its term. What is differentiated twice is PyTorch's own in float64."""
    case["options"].pop("dtype", None)
    wide = Case(case, data, wide=True)
    steps, blob = [], bytearray()
    numpy = lambda written: wide.tensor(written).numpy()
    state = {k: v.detach().numpy() for k, v in wide.state.items()}
    first = case["steps"][0]["input"]
    truth = Truth(case["name"], case["args"], case["options"], state, first["dtype"] == "float64", is_copied(wide.tensor(first), first["dtype"]))
    for step in case["steps"]:
        twice = numpy(step["gradTwice"]) if "gradTwice" in step else None
        results, terms = truth.step(numpy(step["input"]), numpy(step["gradOutput"]), step["training"], twice)
        if twice is not None:
            results = {k: v.detach().double().numpy() for k, v in wide.step(step).items()}
        steps.append({k: exact(v, terms.get(k) or float(np.nanmax(abs(v), initial=0)), blob) for k, v in results.items()})
    return {"steps": steps, "error": None}, blob


def is_copied(x, dtype):
    """Whether it is converted, or lies neither row-major nor channels-last."""
    return dtype in ("float16", "bfloat16") or not (x.is_contiguous() or (x.ndim > 3 and x.movedim(1, -1).is_contiguous()))


def exact(x, term, blob):
    high, rest = (write(torch.from_numpy(np.ascontiguousarray(part)), blob) for part in in_two(x))
    return {"high": high, "rest": rest, "term": term if np.isfinite(term) else 1e308}


def main():
    # The sums of a few kernels depend on the number of threads.
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    read, out = sys.stdin.buffer.read, sys.stdout.buffer
    send({"torch": torch.__version__.split("a")[0]}, b"", out)
    while head := read(8):
        json_length, data_length = struct.unpack("<II", head)
        case = json.loads(read(json_length))
        send(*answer(case, bytearray(read(data_length))), out)


def send(message, blob, out):
    text = json.dumps(message).encode()
    out.write(struct.pack("<II", len(text), len(blob)) + text + blob)
    out.flush()


if __name__ == "__main__":
    main()
