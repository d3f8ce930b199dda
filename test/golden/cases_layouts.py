"""layouts.json: normalization of channels-last tensors, of views with gaps, and of float16 and bfloat16."""

import torch
from torch import nn

from encode import encode, options

F64, HALF, BFLOAT = torch.float64, torch.float16, torch.bfloat16
LAST, LAST_3D = torch.channels_last, torch.channels_last_3d

# What a base tensor is seen as, and the base's shape for a wanted shape.
VIEWS = {
    "contiguous": (lambda b: b, lambda s: s),
    "channelsLast": (lambda b: b.contiguous(memory_format=LAST), lambda s: s),
    "channelsLast3d": (lambda b: b.contiguous(memory_format=LAST_3D), lambda s: s),
    "transposed": (lambda b: b.transpose(1, -1), lambda s: (s[0], s[-1], *s[2:-1], s[1])),
    "fewerChannels": (lambda b: b.contiguous(memory_format=LAST)[:, : b.shape[1] - 2], lambda s: (s[0], s[1] + 2, *s[2:])),
    "fewerRows": (lambda b: b[:, :, : b.shape[2] - 1], lambda s: (*s[:2], s[2] + 1, *s[3:])),
}


def cases():
    return [case(index, *entry) for index, entry in enumerate(matrix())]


def matrix():
    track = {"affine": True, "track_running_stats": True}
    for shape in ((2, 3, 4, 5), (1, 4, 3, 3), (3, 1, 2, 4), (6, 5, 1, 1), (2, 17, 2, 3), (4, 8, 1, 6), (2, 16, 5, 5), (3, 7, 6, 1)):
        yield "BatchNorm2d", [shape[1]], {}, shape, "channelsLast", None
    yield "BatchNorm2d", [3], {"affine": False, "momentum": None}, (2, 3, 4, 5), "channelsLast", None
    yield "BatchNorm2d", [3], {"track_running_stats": False}, (2, 3, 4, 5), "channelsLast", None
    yield "BatchNorm2d", [4], {"dtype": F64}, (2, 4, 3, 5), "channelsLast", None
    yield "BatchNorm3d", [5], {}, (2, 5, 2, 3, 4), "channelsLast3d", None
    yield "BatchNorm3d", [4], {"dtype": F64}, (2, 4, 2, 3, 2), "channelsLast3d", None
    for view in ("fewerChannels", "fewerRows", "transposed"):
        yield "BatchNorm2d", [4], {}, (3, 4, 3, 5), view, None
        yield "GroupNorm", [2, 4], {}, (3, 4, 3, 5), view, None
        yield "InstanceNorm2d", [4], track, (3, 4, 3, 5), view, None
        yield "LayerNorm", [[3, 5]], {}, (3, 4, 3, 5), view, None
    yield "BatchNorm1d", [4], {}, (3, 4, 7), "transposed", None
    yield "BatchNorm1d", [6], {}, (9, 6), "contiguous", None
    for view, shape in (("channelsLast", (2, 6, 3, 4)), ("channelsLast3d", (2, 6, 2, 3, 2))):
        yield "GroupNorm", [3, 6], {}, shape, view, None
        yield "GroupNorm", [1, 6], {"affine": False}, shape, view, None
        yield "GroupNorm", [6, 6], {"dtype": F64}, shape, view, None
        yield "LayerNorm", [list(shape[1:])], {}, shape, view, None
        yield "LayerNorm", [list(shape[-2:])], {}, shape, view, None
        yield f"InstanceNorm{len(shape) - 2}d", [6], track, shape, view, None
        yield f"InstanceNorm{len(shape) - 2}d", [6], {}, shape, view, None

    for dtype in (HALF, BFLOAT):
        for view in ("contiguous", "channelsLast"):
            yield "BatchNorm2d", [5], {}, (3, 5, 4, 5), view, dtype
            yield "GroupNorm", [3, 6], {}, (2, 6, 3, 5), view, dtype
            yield "InstanceNorm2d", [4], track, (2, 4, 3, 5), view, dtype
        yield "BatchNorm1d", [6], {}, (9, 6), "contiguous", dtype
        yield "BatchNorm1d", [3], {"affine": False, "momentum": None}, (4, 3, 9), "contiguous", dtype
        yield "LayerNorm", [[9]], {}, (5, 9), "contiguous", dtype
        yield "LayerNorm", [[3, 5]], {"elementwise_affine": False}, (4, 3, 5), "contiguous", dtype
        yield "RMSNorm", [[9]], {}, (5, 9), "contiguous", dtype
        yield "BatchNorm2d", [5], {"dtype": dtype}, (3, 5, 4, 5), "contiguous", dtype
        yield "GroupNorm", [3, 6], {"dtype": dtype}, (2, 6, 3, 5), "contiguous", dtype
        yield "LayerNorm", [[9]], {"dtype": dtype}, (5, 9), "contiguous", dtype
        yield "RMSNorm", [[9]], {"dtype": dtype}, (5, 9), "contiguous", dtype


def case(index, module, args, kwargs, shape, view, dtype):
    rng = torch.Generator().manual_seed(7000 + index)
    dtype = dtype or kwargs.get("dtype", torch.float32)
    draw = lambda size, mean=0.0, std=1.0: torch.empty(size, dtype=F64).normal_(mean, std, generator=rng).to(dtype)
    layer = getattr(nn, module)(*args, **kwargs)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(draw(p.shape, 0.3))
    see, base_shape = VIEWS[view]

    def run():
        base = draw(base_shape(shape), 0.7, 1.5)
        x = see(base).detach()
        assert x.shape == shape
        x.requires_grad_()
        g = draw(shape)
        layer.zero_grad(set_to_none=True)
        y = layer(x)
        (y_strides, y_dtype) = (list(y.stride()), y.dtype)
        assert y_dtype == dtype
        names, parameters = zip(*layer.named_parameters()) if list(layer.parameters()) else ((), ())
        gx, *grads = torch.autograd.grad(y, (x, *parameters), g)
        entry = {"input": encode(base), "gradOutput": encode(g), "output": encode(y), "gradInput": encode(gx)}
        entry["outputStrides"], entry["gradInputStrides"] = y_strides, list(gx.stride())
        for key, grad in zip(names, grads):
            entry["grad" + key.capitalize()] = encode(grad)
        if getattr(layer, "running_mean", None) is not None:
            entry["runningMean"], entry["runningVar"] = encode(layer.running_mean), encode(layer.running_var)
        return entry

    state = {k: encode(v) for k, v in layer.named_parameters()}
    # Only what has running statistics has a second step and an evaluation of its own.
    tracks = getattr(layer, "running_mean", None) is not None
    steps = [run() for _ in range(2 if tracks else 1)]
    layer.eval()
    given = ", ".join(map(str, args)) + "".join(f", {k}={v}" for k, v in options(kwargs).items())
    return {
        "name": f"{module}({given}) on {view} {str(dtype).removeprefix('torch.')} {list(shape)}",
        "module": module,
        "args": args,
        "options": options(kwargs),
        "view": view,
        "state": state,
        "steps": steps,
        **({"eval": run()} if tracks else {}),
    }
