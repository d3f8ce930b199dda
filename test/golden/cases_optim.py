"""optim.json: five steps of every optimizer on two parameters, and the learning rates of schedulers."""

import torch
from torch import optim

from encode import encode, options

STEPS = 5


def cases():
    return [*optimizers(), *schedulers()]


def optimizers():
    for kwargs in (
        {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True}, {"lr": 0.1, "weight_decay": 0.05},
        {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "nesterov": True}, {"lr": 0.1, "maximize": True, "weight_decay": 0.1},
        {"lr": 0.02, "momentum": 0.5, "dampening": 0.1, "weight_decay": 0.01, "maximize": True},
    ):  # fmt: skip
        yield optimizer("SGD", kwargs)
    for name in ("Adam", "AdamW"):
        for kwargs in (
            {}, {"lr": 0.05}, {"lr": 0.05, "betas": [0.8, 0.95]}, {"lr": 0.05, "eps": 1e-3}, {"lr": 0.05, "weight_decay": 0.1},
            {"lr": 0.05, "amsgrad": True}, {"lr": 0.05, "maximize": True}, {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1, "maximize": True},
        ):  # fmt: skip
            yield optimizer(name, kwargs)
    for kwargs in (
        {}, {"lr": 0.05}, {"lr": 0.05, "alpha": 0.8}, {"lr": 0.05, "eps": 1e-3}, {"lr": 0.05, "weight_decay": 0.1},
        {"lr": 0.05, "momentum": 0.9}, {"lr": 0.05, "centered": True}, {"lr": 0.05, "maximize": True},
        {"lr": 0.05, "centered": True, "momentum": 0.8, "weight_decay": 0.02, "maximize": True},
    ):  # fmt: skip
        yield optimizer("RMSprop", kwargs)
    groups = [{"params": [0]}, {"params": [1], "lr": 0.01, "weight_decay": 0.0}]
    yield optimizer("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}, groups)
    yield optimizer("AdamW", {"lr": 0.1, "weight_decay": 0.05}, groups)
    yield optimizer("SGD", {"lr": 0.1, "momentum": 0.9}, dtype=torch.float64)
    yield optimizer("Adam", {"lr": 0.1}, dtype=torch.float64)
    # The second parameter has no gradient in the first and the third step.
    for name in ("SGD", "Adam", "RMSprop"):
        yield optimizer(name, {"lr": 0.1} | ({} if name == "Adam" else {"momentum": 0.9}), missing=(0, 2))


def optimizer(name, kwargs, groups=None, dtype=torch.float32, missing=()):
    rng = torch.Generator().manual_seed(7)
    normal = lambda shape: torch.empty(shape, dtype=dtype).normal_(generator=rng)
    params = [normal((3, 5)).requires_grad_(), normal((7,)).requires_grad_()]
    initial = [encode(p) for p in params]
    groups = groups or [{"params": [0, 1]}]
    own = {k: tuple(v) if isinstance(v, list) else v for k, v in kwargs.items()}
    opt = getattr(optim, name)([g | {"params": [params[i] for i in g["params"]]} for g in groups], **own)
    grads, after = [], []
    for step in range(STEPS):
        for i, p in enumerate(params):
            p.grad = None if i == 1 and step in missing else normal(p.shape)
        grads.append([encode(p.grad) for p in params])
        opt.step()
        after.append([encode(p) for p in params])
    text = " ".join(f"{k}={v}" for k, v in options(kwargs).items())
    label = f"{name} {text}" + (" in two groups" if len(groups) > 1 else "") + (" with missing gradients" if missing else "")
    return {
        "kind": "optimizer",
        "name": label + ("" if dtype == torch.float32 else " float64"),
        "optimizer": name,
        "options": options(kwargs),
        "groups": [options(g) for g in groups],
        "initial": initial,
        "grads": grads,
        "params": after,
    }


def schedulers():
    for args, kwargs in (([3], {}), ([2], {"gamma": 0.5}), ([1], {"gamma": 0.9})):
        yield scheduler("StepLR", args, kwargs, 12)
    yield scheduler("StepLR", [3], {}, 8, lrs=[0.1, 0.03])
    for args, kwargs in (([10], {}), ([10], {"eta_min": 0.001}), ([7], {"eta_min": 0.01}), ([1], {})):
        yield scheduler("CosineAnnealingLR", args, kwargs, 25)
    for kwargs in (
        {"total_steps": 20}, {"epochs": 3, "steps_per_epoch": 7}, {"total_steps": 20, "pct_start": 0.5},
        {"total_steps": 20, "anneal_strategy": "linear"}, {"total_steps": 20, "three_phase": True},
        {"total_steps": 17, "div_factor": 10.0, "final_div_factor": 100.0}, {"total_steps": 20, "cycle_momentum": False},
        {"total_steps": 20, "base_momentum": 0.8, "max_momentum": 0.9}, {"total_steps": 6, "pct_start": 0.5, "anneal_strategy": "linear"},
        {"total_steps": 23, "pct_start": 0.25, "three_phase": True, "anneal_strategy": "linear"},
    ):  # fmt: skip
        total = kwargs.get("total_steps") or kwargs["epochs"] * kwargs["steps_per_epoch"]
        yield scheduler("OneCycleLR", [0.1], kwargs, total - 1)
    yield scheduler("OneCycleLR", [[0.1, 0.02]], {"total_steps": 12}, 11, lrs=[0.1, 0.03])


def scheduler(name, args, kwargs, steps, lrs=(0.1,)):
    params = [torch.zeros(1, requires_grad=True) for _ in lrs]
    opt = optim.SGD([{"params": [p], "lr": lr} for p, lr in zip(params, lrs)], lr=0.1, momentum=0.9)
    sched = getattr(optim.lr_scheduler, name)(opt, *args, **kwargs)
    seen, momentums = [], []
    for step in range(steps + 1):
        seen.append([g["lr"] for g in opt.param_groups])
        momentums.append(opt.param_groups[0]["momentum"])
        opt.step()
        if step < steps:
            sched.step()
    text = " ".join(f"{k}={v}" for k, v in options(kwargs).items())
    entry = {"kind": "scheduler", "name": f"{name}({', '.join(map(str, args))}) {text}".strip(), "scheduler": name, "args": args}
    entry |= {"options": options(kwargs), "baseLrs": list(lrs), "lrs": seen}
    return entry | ({"momentums": momentums} if name == "OneCycleLR" else {})
