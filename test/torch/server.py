"""Runs cases in PyTorch for main.ts: reads them from stdin and writes what came out to stdout until stdin ends.

A message is two uint32 (little-endian: the lengths of both parts), JSON, and the tensors' bytes one after another. A tensor in the
JSON is {"dtype", "shape", "offset", "layout"?}: the offset into the bytes; the layout is applied to it.
"""

import ctypes
import json
import struct
import sys
import warnings

import torch
import torch.nn.functional as F
from torch import nn


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
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    wide = x.double()
    y = wide * torch.rsqrt(wide.square().mean(dims, keepdim=True) + eps)
    return (y if weight is None else y * weight).to(x.dtype)


EXACT = {"nn": {"RMSNorm": RMSNorm}, "F": {"rms_norm": rms_norm}}


def named(where, name):
    return EXACT[where].get(name) or getattr({"nn": nn, "F": F}[where], name)


def as_dtype(options):
    return {k: getattr(torch, v) if k == "dtype" else v for k, v in options.items()}


class Case:
    def __init__(self, case, data):
        self.case = case
        self.data = data
        self.state = {k: self.tensor(v) for k, v in case["state"].items()}
        self.learned = [k for k in self.state if k in ("weight", "bias")]
        if case["kind"] == "module":
            self.module = named("nn", case["name"])(*case["args"], **as_dtype(case["options"]))
            self.module.load_state_dict(self.state, strict=False)
        else:
            for key in self.learned:
                self.state[key].requires_grad_()

    def tensor(self, written):
        dtype = getattr(torch, written["dtype"])
        count = 1
        for size in written["shape"]:
            count *= size
        if count == 0:
            x = torch.empty(written["shape"], dtype=dtype)
        else:
            x = torch.frombuffer(self.data, dtype=dtype, count=count, offset=written["offset"]).clone().view(written["shape"])
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

    def step(self, step):
        # PyTorch 1.13 misreads some layouts in backward: for contiguous x of [1, 3, 4, 5] and a channels-last upstream gradient of instance norm
        # its gradient is that of the elements in another order. So it gets contiguous copies; evenkeel gets the views.
        x = self.tensor(step["input"]).clone(memory_format=torch.contiguous_format).requires_grad_()
        if self.case["kind"] == "module":
            self.module.zero_grad(set_to_none=True)
        else:
            for key in self.learned:
                self.state[key].grad = None
        y = self.call(x, step["training"])
        out = {"output": y.detach()}
        if y.requires_grad:
            y.backward(self.tensor(step["gradOutput"]).clone(memory_format=torch.contiguous_format))
            out["gradInput"] = x.grad
        if self.case["kind"] == "module":
            tensors = {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}
        else:
            tensors = self.state
        for key, value in tensors.items():
            if isinstance(value, nn.Parameter) or key in self.learned:
                if value.grad is not None:
                    out["grad" + key.capitalize()] = value.grad
            else:
                out[key] = value.clone()
        return out


def answer(case, data):
    steps, blob = [], bytearray()
    error = None
    try:
        running = Case(case, data)
        for step in case["steps"]:
            out = {}
            for name, x in running.step(step).items():
                x = x.contiguous()
                written = {"dtype": str(x.dtype)[6:], "shape": list(x.shape), "offset": len(blob)}
                blob += ctypes.string_at(x.data_ptr(), x.numel() * x.element_size()) if x.numel() else b""
                blob += bytes(-len(blob) % 8)
                out[name] = written
            steps.append(out)
    except Exception as e:  # what PyTorch raises is compared too
        error = str(e)
    return {"steps": steps, "error": error}, blob


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
