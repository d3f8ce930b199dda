"""PyTorch as a peer of the benchmarks: python3 torch_peer.py THREADS. The protocol is that of serve.mjs."""

import json
import re
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

THREADS = int(sys.argv[1])
# As in serve.mjs.
WARM_UP_MS = 400
LONG_WARM_UP_MS = 12_000
WHOLE_SAMPLE_MS = 40
SLOW = 1e9
CHUNK = 2e5
CLOCKS = {"wall": time.perf_counter_ns, "cpu": time.process_time_ns}


def blas():
    """Which BLAS is loaded: Debian's torch takes whatever libblas.so.3 points at."""
    torch.mm(torch.ones(4, 4), torch.ones(4, 4))
    libraries = set(re.findall(r"/([^/\s]*(?:blas|mkl_core|blis)[^/\s]*\.so[^/\s]*)", open("/proc/self/maps").read()))
    return ", ".join(sorted(libraries)) or "none"


def load(_):
    torch.set_num_threads(THREADS)
    config = torch.__config__.show()
    found = re.search(r"MKL-DNN v[\d.]+|oneDNN v[\d.]+", config)
    return {
        "version": torch.__version__,
        "details": f"{found.group(0) if found else 'no oneDNN'}, BLAS: {blas()}",
        "threads": torch.get_num_threads(),
    }


def tensor(shape, seed, layout="nchw", grad=False):
    count = int(np.prod(shape))
    value = 2 * np.mod(np.arange(count) * 0.6180339887498949 + seed * 0.7548776662466927, 1) - 1
    x = torch.from_numpy(value.astype(np.float32)).view(shape)
    if layout == "nhwc" and x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    return x.requires_grad_(grad)


def norm(w, layout):
    kind, which, shape = w["kind"], w["pass"], w["shape"]
    layer = {
        "batch": lambda: nn.BatchNorm2d(shape[1]) if len(shape) == 4 else nn.BatchNorm1d(shape[1]),
        "layer": lambda: nn.LayerNorm(shape[-1]),
        "group": lambda: nn.GroupNorm(w["groups"], shape[1]),
        "instance": lambda: nn.InstanceNorm2d(shape[1], affine=True),
    }[kind]()
    layer.train(which != "eval")
    x = tensor(shape, 1, layout, which == "both")
    g = tensor(shape, 2, layout)
    if which == "forward":
        return lambda: layer(x)
    if which == "eval":
        return torch.no_grad()(lambda: layer(x))
    inputs = [x, *layer.parameters()]
    return lambda: torch.autograd.grad(layer(x), inputs, g)[0]


def gemm(w, _):
    a, b = tensor([w["n"]] * 2, 1), tensor([w["n"]] * 2, 2)
    return lambda: a @ b


def conv(w, layout):
    which, shape, groups = w["pass"], w["shape"], w["groups"]
    x = tensor(shape, 1, layout, which == "input")
    weight = tensor([w["out"], shape[1] // groups, w["kernel"], w["kernel"]], 2, layout, which == "weight")
    forward = lambda: F.conv2d(x, weight, None, w["stride"], w["padding"], 1, groups)
    if which == "forward":
        return forward
    y = forward()
    g = tensor(list(y.shape), 3, layout)
    wanted = x if which == "input" else weight
    return lambda: torch.autograd.grad(y, wanted, g, retain_graph=True)[0]


def mlp():
    hidden = lambda n: [nn.Linear(n, 100, bias=False), nn.BatchNorm1d(100), nn.Sigmoid()]
    return nn.Sequential(*hidden(784), *hidden(100), *hidden(100), nn.Linear(100, 10)), [784]


def cnn():
    stage = lambda a, b: [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Linear(64 * 7 * 7, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10)]
    return nn.Sequential(*stage(1, 32), *stage(32, 64), nn.Flatten(), *head), [1, 28, 28]


class Block(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(b)
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(b)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)) if stride > 1 else nn.Identity()
        )

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet20():
    stage = lambda a, b, stride: [Block(a, b, stride), Block(b, b, 1), Block(b, b, 1)]
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    body = [*stage(16, 16, 1), *stage(16, 32, 2), *stage(32, 64, 2)]
    return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)), [3, 32, 32]


def step(w, layout):
    torch.manual_seed(0)
    model, shape = {"mlp": mlp, "cnn": cnn, "resnet20": resnet20}[w["model"]]()
    if layout == "nhwc":
        model = model.to(memory_format=torch.channels_last)
    x = tensor([w["batch"], *shape], 1, layout)
    labels = torch.tensor([i * 7 % 10 for i in range(w["batch"])])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def body():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return body


def repeat(body, iterations, clock, expected=CHUNK):
    """Nanoseconds of one iteration, the median over chunks."""
    size = max(1, min(iterations, round(CHUNK / expected)))
    chunks = []
    for _ in range(0, iterations, size):
        began = clock()
        for _ in range(size):
            body()
        chunks.append((clock() - began) / size)
    return sorted(chunks)[len(chunks) // 2]


def warm_up(body, sample_ms, clock, warm_ups):
    if sample_ms == 0:
        return 0
    ns = spent = repeat(body, 1, clock)
    if ns > SLOW:
        return ns
    least = warm_ups * min(1, sample_ms / WHOLE_SAMPLE_MS)
    done = 1
    while spent < min(WARM_UP_MS, 10 * sample_ms) * 1e6 or (done < least and spent < LONG_WARM_UP_MS * 1e6):
        ns = repeat(body, 1, clock)
        spent += ns
        done += 1
    return repeat(body, max(1, min(100, int(sample_ms * 1e6 / 4 / ns))), clock, ns)


bodies = {}


def prepare(request):
    w = request["workload"]
    body = {"norm": norm, "gemm": gemm, "conv": conv, "step": step}[w["op"]](w, request["layout"])
    bodies[request["key"]] = body
    answer = {}
    if w["op"] != "step":
        answer["check"] = body().abs().double().mean().item()
    return {"ns": warm_up(body, request["sampleMs"], CLOCKS[request["clock"]], w.get("warmUps", 0)), **answer}


def run(request):
    body, clock = bodies[request["key"]], CLOCKS[request["clock"]]
    if request["settle"] > 0:
        repeat(body, request["settle"], clock, request["expected"])
    return {"ns": repeat(body, request["iterations"], clock, request["expected"])}


def drop(request):
    bodies.pop(request["key"], None)
    return {}


def memory(_):
    """ru_maxrss is in KiB on Linux, in bytes on macOS."""
    return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)}


ANSWERS = {
    "load": load,
    "prepare": prepare,
    "run": run,
    "drop": drop,
    "memory": memory,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = ANSWERS[request["do"]](request)
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
