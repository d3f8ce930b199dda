"""Makes the checkpoints that test/io reads, and writes beside them what they hold.

    python3 test/golden/checkpoints.py          with a Python that has PyTorch; safetensors files need the package safetensors

Every version of PyTorch writes its own folder, checkpoints/<version>, so that old and new files are both read. contents.json:
file → value; a dict is {"dict": [[key, value], ...], "kind": "OrderedDict" or "dict", "versions"?: {path: version}}, a tuple {"tuple": [...]},
bytes {"bytes": base64}, a large int {"int": text}, a tensor {"tensor": dtype, "shape", "strides", "data": base64 of its elements,
"storage": which storage it lies in, counted from 0, "parameter": bool, "requiresGrad": bool}.
"""

import argparse
import base64
import collections
import json
import pathlib

import numpy as np
import torch
from torch import nn

VERSION = ".".join(torch.__version__.split("+")[0].split(".")[:2])
HERE = pathlib.Path(__file__).parent / "checkpoints" / VERSION


class Describer:
    def __init__(self):
        self.storages = []

    def tensor(self, t):
        pointer = t.storage().data_ptr() if VERSION < "2" else t.untyped_storage().data_ptr()
        if t.numel() == 0:
            pointer = object()
        if pointer not in self.storages:
            self.storages.append(pointer)
        flat = t.detach().contiguous().reshape(-1)
        if t.dtype in (torch.bfloat16, torch.float16):
            flat = flat.view(torch.int16)
        elif t.dtype in (torch.int8, torch.int16):
            flat = flat.to(torch.int32)
        return {
            "tensor": str(t.dtype).removeprefix("torch."),
            "shape": list(t.shape),
            "strides": list(t.stride()),
            "data": base64.b64encode(flat.numpy().tobytes()).decode(),
            "storage": self.storages.index(pointer),
            "parameter": isinstance(t, nn.Parameter),
            "requiresGrad": t.requires_grad,
        }

    def value(self, v):
        if isinstance(v, torch.Tensor):
            return self.tensor(v)
        if isinstance(v, argparse.Namespace):
            v = vars(v)
        if isinstance(v, dict):
            kind = "OrderedDict" if isinstance(v, collections.OrderedDict) else "dict"
            described = {"dict": [[k, self.value(x)] for k, x in v.items()], "kind": kind}
            if hasattr(v, "_metadata"):
                described["versions"] = {k: m.get("version") for k, m in v._metadata.items()}
            return described
        if isinstance(v, (tuple, torch.Size)):
            return {"tuple": [self.value(x) for x in v]}
        if isinstance(v, list):
            return [self.value(x) for x in v]
        if isinstance(v, bytes):
            return {"bytes": base64.b64encode(v).decode()}
        if isinstance(v, (torch.dtype, torch.device)):
            return str(v)
        if isinstance(v, np.generic):
            return v.item()
        if isinstance(v, int) and not isinstance(v, bool) and abs(v) > 2**53:
            return {"int": str(v)}
        return v


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    model(torch.randn(5, 1, 4, 4))
    return model


def trained(make):
    model = network()
    optimizer = make(model.parameters())
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 5])
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(5, 1, 4, 4)).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return model, optimizer, scheduler


def dtypes():
    base = torch.tensor([0.0, 1.0, -2.5, 65504.0, 6e-8, float("inf"), float("-inf"), float("nan"), 1 / 3])
    state = collections.OrderedDict()
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        state[str(dtype)[6:]] = base.to(dtype)
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        state[str(dtype)[6:]] = torch.tensor([torch.iinfo(dtype).min, -1, 0, 1, torch.iinfo(dtype).max], dtype=dtype)
    state["uint8"] = torch.tensor([0, 1, 255], dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state["scalar"] = torch.tensor(7)
    state["empty"] = torch.zeros(0, 3)
    return state


def views():
    whole = torch.arange(24.0)
    weight = nn.Parameter(torch.randn(3, 2))
    return {
        "whole": whole,
        "matrix": whole.view(4, 6),
        "transposed": whole.view(4, 6).t(),
        "steps": whole.view(4, 6)[1:4:2, ::3],
        "row": whole[18:],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
        "channels_last": torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last),
        "lone_view": torch.arange(1000.0)[10:13],
        "weight": weight,
        "tied": weight,
        "frozen": nn.Parameter(torch.ones(2), requires_grad=False),
        "leaf": torch.ones(2, requires_grad=True),
    }


def trainer():
    model, optimizer, scheduler = trained(lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.8, 0.99), weight_decay=1e-4))
    sgd = trained(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9))[1]
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "sgd": sgd.state_dict(),
        "scheduler": {k: v for k, v in scheduler.state_dict().items() if k != "_get_lr_called_within_step"},
        "epoch": 7,
        "best": np.float64(0.875),
        "count": np.int64(12),
        "large": 2**70,
        "negative": -(2**40),
        "half": 0.5,
        "none": None,
        "flags": [True, False],
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "args": argparse.Namespace(lr=0.1, name="resnet", milestones=[30, 60]),
        "classes": {0: "cat", 1: "dog"},
        "names": {"0": "cat", "x": "dog"},
        "bytes": b"\x00\xff abc",
        "rng": torch.get_rng_state()[:8].clone(),
        "nested": {"a": [{"b": (1, (2.5, "ü"))}], "empty": {}, "list": []},
        "defaults": collections.defaultdict(list, a=[1]),
    }


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    files = {
        "bn.pt": (network().state_dict(), {}),
        "dtypes.pt": (dtypes(), {}),
        "views.pt": (views(), {}),
        "trainer.pth": (trainer(), {}),
        "protocol4.pt": (trainer(), {"pickle_protocol": 4}),
        "legacy.pth": (trainer(), {"_use_new_zipfile_serialization": False}),
        "legacy-views.pth": (views(), {"_use_new_zipfile_serialization": False}),
    }
    contents = {}
    for name, (value, options) in files.items():
        torch.save(value, HERE / name, **options)
        contents[name] = Describer().value(value)
    torch.save(network(), HERE / "whole-module.pt")
    torch.jit.script(nn.Sequential(nn.Linear(1, 1))).save(str(HERE / "script.pt"))
    try:
        from safetensors.torch import save_file
    except ImportError:
        print("no package safetensors: its files are left as they are")
    else:
        state = dtypes()
        state.pop("empty")
        save_file(state, HERE / "dtypes.safetensors", metadata={"epoch": "3", "ü": "é"})
        described = Describer().value(state)
        described["dict"].sort()
        contents["dtypes.safetensors"] = described
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in contents.items())
    (HERE / "contents.json").write_text(f"{{\n{lines}\n}}\n")
    print(HERE, sum(f.stat().st_size for f in HERE.iterdir()), "bytes")


if __name__ == "__main__":
    main()
