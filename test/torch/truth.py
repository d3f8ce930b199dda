"""What a case comes to exactly: every normalization in numpy's longdouble (64 bits, eps 1.1e-19), for server.py and the golden numbers.

Besides its value every result has a `term`: the largest sum of magnitudes that one of its elements is added up from, once the mean is
taken off. A last bit of it is the least that any computation in the inputs' precision may lose; see test/nn/norm-rule.ts.
"""

import numpy as np

WIDE = np.longdouble


def normalized(x, g, v, axes, weight, bias, eps, rounded, centred=True, fixed=None, flat_is_zero=False):
    """y = (x - mean) / sqrt(var + eps) * weight + bias over `axes`, all arrays broadcast; results, terms, mean and variance."""
    mean = lambda v: v.mean(axes, keepdims=True)
    if fixed:
        centre, variance = fixed
    else:
        centre = mean(x) if centred else WIDE(0)
        variance = mean((x - centre) ** 2)
    invstd = 1 / np.sqrt(variance + WIDE(eps))
    if flat_is_zero and eps == 0:
        invstd = np.where(variance == 0, 0, invstd)
    xhat = (x - centre) * invstd
    scale = 1 if weight is None else weight
    h = g * scale
    out = {"output": xhat * scale + (0 if bias is None else bias)}
    # Where the mean is a rounded number, x - mean loses last bits of both, as many as numbers were added up in the same precision.
    seen = (abs(x) + max(1, rounded) * abs(centre)) * invstd if fixed or rounded else abs(xhat)
    term = {"output": seen * abs(scale) + (0 if bias is None else abs(bias))}
    if fixed:
        out["grad_input"] = h * invstd
        term["grad_input"] = abs(h) * invstd
        if v is not None:
            term["twice_grad_output"] = abs(v * scale) * invstd
            term["twice_weight"] = abs(g * v) * invstd
    else:
        level = mean(h) if centred else 0
        out["grad_input"] = (h - level - xhat * mean(h * xhat)) * invstd
        slope = abs(xhat) * mean(abs(h * xhat))
        if rounded:
            slope += seen * mean(abs(h * xhat)) + abs(xhat) * mean(abs(h) * seen)
        term["grad_input"] = (abs(h) + (mean(abs(h)) if centred else 0) + slope) * invstd
        if v is not None:
            # v·gradInput is invstd times a product of two such sums; differentiated it has three times as many terms
            size = lambda t: abs(t) + mean(abs(t)) + abs(xhat) * mean(abs(t * xhat))
            a, b = size(h), size(v)
            share = lambda t: mean(t * abs(xhat))
            term["twice_input"] = invstd**2 * (abs(xhat) * mean(a * b) + a * share(b) + b * share(a))
            term["twice_grad_output"] = abs(scale) * invstd * b
            term["twice_weight"] = abs(g) * invstd * b
    for name, like, product, size in (("grad_weight", weight, g * xhat, abs(g) * seen), ("grad_bias", bias, g, abs(g))):
        if like is not None:
            over = tuple(d for d in range(x.ndim) if like.shape[d] == 1)
            out[name] = product.sum(over)
            term[name] = size.sum(over)
            if name == "grad_weight" and "twice_weight" in term:
                term["twice_weight"] = term["twice_weight"].sum(over)
    return out, term, centre, variance


def length_of(x, g, v, p, eps, dim):
    """x / max(norm, eps) and its gradient."""
    length = (abs(x) ** p).sum(dim, keepdims=True) ** (1 / WIDE(p))
    n = np.maximum(length, WIDE(eps))
    steepness = np.where((length >= eps) & (x != 0), np.sign(x) * abs(x) ** (p - 1) * n ** (1 - WIDE(p)), 0)
    share = steepness / n**2
    products = g * x
    out = {"output": x / n, "grad_input": g / n - products.sum(dim, keepdims=True) * share}
    size = lambda t: abs(t) / n + abs(t * x).sum(dim, keepdims=True) * abs(share)
    term = {"output": abs(x) / n, "grad_input": size(g)}
    if v is not None:
        term["twice_grad_output"] = size(v)
        term["twice_input"] = 3 * (size(g) * size(v)).sum(dim, keepdims=True) * np.ones_like(x)
    # a power multiplies the relative error of what it is taken of
    return out, {k: t * max(1, p) for k, t in term.items()}


def response(x, g, size, alpha=1e-4, beta=0.75, k=1.0):
    """x * (k + alpha * mean of x^2 over `size` neighbouring channels) ** -beta and its gradient."""
    channels = x.shape[1]

    def around(v, before):
        padded = np.concatenate([np.zeros_like(v[:, :1])] * before + [v] + [np.zeros_like(v[:, :1])] * size, 1)
        return sum(padded[:, i : i + channels] for i in range(size))

    alpha, beta = WIDE(alpha), WIDE(beta)
    divisor = k + alpha / size * around(x * x, size // 2)
    direct = g * divisor**-beta
    through = lambda v: 2 * alpha * beta / size * around(v * divisor ** (-beta - 1), size - 1 - size // 2)
    out = {"output": x * divisor**-beta, "grad_input": direct - x * through(g * x)}
    return out, {"output": abs(out["output"]), "grad_input": abs(direct) + abs(x) * through(abs(g * x))}


class Truth:
    """The steps of a case one after another."""

    def __init__(self, name, args, options, state, double, recipe=False):
        self.name, self.args, self.options, self.double = name.replace("Lazy", ""), args, options, double
        # instance norm neither learns nor tracks unless it is told to, or is a lazy one
        self.usually = name != self.name or "Instance" not in name
        self.module = name[0].isupper()
        self.state = {k: v.astype(WIDE) for k, v in state.items()}
        self.carried = {}
        self.batches = 0
        # float64 has nothing wider to sum in; of views that are copied batch and instance norm round the mean as PyTorch's contiguous kernel does
        self.recipe = recipe

    def step(self, x, g, training, v=None):
        """Results by PyTorch's names, and their terms; those of second derivatives too where `v` is upstream of the gradient."""
        x, g, v = (None if t is None else t.astype(WIDE) for t in (x, g, v))
        with np.errstate(all="ignore"):
            out, term = self.compute(x, g, training, v)
        return out, {k: float(np.max(np.where(np.isfinite(v), v, 0), initial=0)) for k, v in term.items()}

    def rounded(self, count):
        """By how many last bits a mean of so many numbers may be off, if not by its last rounding alone: 0."""
        return count if self.double else 0

    def learned(self, shape):
        tensors = []
        for key, otherwise in (("weight", 1), ("bias", 0)):
            there = self.options.get("affine", self.options.get("elementwise_affine", self.usually)) is not False
            if key in self.state and (self.module or f"${key}" in self.options.values()):
                tensors.append(self.state[key].reshape(shape))
            elif self.module and there:
                size = np.prod([s for s in shape], dtype=int)
                tensors.append(np.full(size, otherwise, WIDE).reshape(shape))
            else:
                tensors.append(None)
        return tensors

    def compute(self, x, g, training, v):
        name, options, shape = self.name, self.options, x.shape
        eps = options.get("eps", 1e-5)
        if name in ("normalize",):
            return length_of(x, g, v, options.get("p", 2), options.get("eps", 1e-12), options.get("dim", 1))
        if name in ("LocalResponseNorm", "local_response_norm"):
            more = {k: options[k] for k in ("alpha", "beta", "k") if k in options}
            return response(x, g, self.args[-1], **more)
        if name in ("LayerNorm", "layer_norm", "RMSNorm", "rms_norm"):
            own = self.args[-1]
            rms = name[0] in "Rr"
            length = int(np.prod(own))
            weight, bias = self.learned((1, length))
            seen = x.reshape(x.size // max(length, 1), length)
            eps = options.get("eps", 1e-5 if not rms else 2.0**-52 if self.double else 2.0**-23)
            bias = None if rms else bias
            found = normalized(seen, *like(seen, g, v), (1,), weight, bias, eps, self.rounded(length), centred=not rms)
        elif name in ("GroupNorm", "group_norm"):
            groups = self.args[0] if self.module else self.args[1]
            seen = x.reshape(shape[0], groups, shape[1] // groups, x.size // max(shape[0] * shape[1], 1))
            weight, bias = self.learned((1, groups, shape[1] // groups, 1))
            found = normalized(seen, *like(seen, g, v), (2, 3), weight, bias, eps, self.rounded(seen[0, 0].size if seen.size else 0))
        else:
            return self.by_channels(x, g, training, v, eps)
        return self.shaped(found, shape)

    def shaped(self, found, shape):
        out, term = found[:2]
        for key in ("output", "grad_input"):
            out[key] = out[key].reshape(shape)
        for key in ("grad_weight", "grad_bias"):
            if key in out:
                out[key] = out[key].reshape(self.state[key[5:]].shape if key[5:] in self.state else -1)
        return out, term

    def by_channels(self, x, g, training, v, eps):
        options, instance = self.options, "nstance" in self.name
        unbatched = instance and self.module and x.ndim == int(self.name[-2]) + 1
        n, c = (1, x.shape[0]) if unbatched else x.shape[:2]
        seen = x.reshape(n, c, x.size // max(n * c, 1))
        weight, bias = self.learned((1, c, 1))
        if self.module:
            tracks = options.get("track_running_stats", self.usually)
            training = training or not tracks
        else:
            tracks = "$running_mean" in self.args
            training = options.get("use_input_stats" if instance else "training", instance)
        if tracks:
            for key, value in (("running_mean", 0), ("running_var", 1)):
                self.state.setdefault(key, np.full(c, value, WIDE))
        running = [self.state[k].reshape(1, c, 1) for k in ("running_mean", "running_var")] if tracks else None
        axes = (2,) if instance else (0, 2)
        count = seen.size // max(1, n * c if instance else c)
        found = normalized(
            seen, *like(seen, g, v), axes, weight, bias, eps, self.rounded(count) or int(self.recipe and seen.shape[2] > 1), fixed=None if training else running, flat_is_zero=True
        )
        out, term = self.shaped(found, x.shape)
        if tracks:
            if training and x.size:
                self.update(abs(seen).mean(axes, keepdims=True), found[2], found[3], count)
            for key in ("running_mean", "running_var"):
                out[key] = self.state[key]
                term[key] = self.carried.get(key, abs(self.state[key]))
        return out, term

    def update(self, size_of_mean, mean, variance, count):
        self.batches += 1
        momentum = self.options.get("momentum", 0.1)
        share = WIDE(1) / self.batches if momentum is None else WIDE(momentum)
        now = {"running_mean": mean, "running_var": variance * count / (count - 1) if count > 1 else variance * np.nan}
        for key, value in now.items():
            c = self.state[key].shape[0]
            size = (size_of_mean if key == "running_mean" else abs(value)).reshape(-1, c).mean(0)
            if self.double and key == "running_var":
                # deviations from a rounded mean leave its square
                size += np.ldexp((count * mean) ** 2, -53).reshape(-1, c).mean(0)
            before = self.carried.get(key, abs(self.state[key]))
            self.state[key] = self.state[key] * (1 - share) + value.reshape(-1, c).mean(0) * share
            self.carried[key] = before * (1 - share) + size * share


def like(seen, *others):
    return [None if t is None else t.reshape(seen.shape) for t in others]


def in_two(x):
    """A longdouble as the sum of two float64."""
    x = np.asarray(x, WIDE)
    high = x.astype(np.float64)
    rest = np.where(np.isfinite(x), x - high, 0).astype(np.float64)
    return high, rest
