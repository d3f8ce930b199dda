"""Writes the golden numbers: run it with a Python that has PyTorch 1.13, as Debian's python3-torch.

    /usr/bin/python3 test/golden/make.py [norm ops layers init optim random print curve models tools images sampler]

Every file is {"torch": version, "cases": [case, ...]}, one case a line; read.ts loads them and decodes tensors.

A tensor is {"dtype", "shape", "data"}, data being base64 of its little-endian elements. Two kinds are shorter:
  {"dtype", "shape", "seed", "mean", "std"}              drawn with normal_(mean, std) from a generator with that seed
  {"dtype", "shape", "sha256", "every", "data"}          a large result: the hash of its bytes, and every so-manieth element
Names of options, methods and modules are ours (camelCase), state-dict keys PyTorch's. Numbers are exact; "nan", "inf" and
"-inf" stand for what JSON lacks. In every case "name" says what it is.

norm.json    {module, args, options, state: {weight?, bias?}, steps: [step x 4], eval: step}
             step: {input, gradOutput, output, gradInput, gradWeight?, gradBias?, runningMean?, runningVar?, numBatchesTracked?,
                    exact?: {output? gradInput? …: {high, term}}}, see test/torch/truth.py
             args: the constructor's positional arguments; state: loaded before the first step; buffers as they are after the
             step; gradients start from none in every step. eval has no buffers: they do not change.
norm_more.json  made with PyTorch 2.13, not part of the default: RMSNorm and the bias option are not in 1.13
             {module, args, options, state, input, gradOutput, output, gradInput, gradState?, buffers?, text?}; module "normalize" is F.normalize
layouts.json made with PyTorch 2.13 too, for float16
             {module, args, options, view, state: {weight?, bias?}, steps: [step], eval?: step}: as norm.json; input is a base that is seen
             as `view` says, with outputStrides and gradInputStrides beside
ops.json     {op, inputs: [tensor], args: [...], options: {...}, outputs: [tensor], gradOutput?, gradInputs?: [tensor or null]}
             args: positional arguments that are no tensors; tensors among the options are tensors; gradOutput belongs to
             outputs[0]; a case without it is not differentiable.
layers.json  {module, args, options, seed, state: {key: tensor}, input, gradOutput, output, gradInput, gradState: {key: tensor}}
             state: PyTorch's default initialisation after manualSeed(seed).
init.json    {kind: "fill", init, seed, args, options, output}: a tensor of sevens filled after manualSeed(seed)
             {kind: "gain", args, gain}: calculateGain
optim.json   {kind: "optimizer", optimizer, options, groups: [{params: [index], ...}], initial: [tensor],
              grads: [[tensor or null] x 5], params: [[tensor] x 5]}: the parameters after every step
             {kind: "scheduler", scheduler, args, options, baseLrs: [number], lrs: [[number per group]], momentums?: [number]}
             lrs[0] is right after construction, lrs[i] after i steps of the scheduler; the optimizer is SGD, momentum 0.9.
random.json  {kind: "draws", seed, calls: [{method, args, dtype?, length?, result}]}: one generator through all calls, the
              methods those of Generator; result is a tensor, for randperm a list, for randomInt64 a string. Seeds and the
              bounds of fillRandint are strings, for BigInt().
             {kind: "loader", seed, length, batchSize, shuffle, dropLast, epochs: [[[index]] x 3], after}: manualSeed, a loader,
              three epochs, then after = rand(3).
             {kind: "dropout", seed, p, input, output, gradOutput, gradInput}: manualSeed, randn, dropout, randn.
             {kind: "state", seed, drawn, state}: a generator's state after randn(drawn).
print.json   {kind: "tensor", tensor, requiresGrad, gradFn?, text}; gradFn: what was printed is tensor.neg() or tensor.clone()
             {kind: "parameter", tensor, text}
             {kind: "module", code, text}; code: a TypeScript expression over `nn`
models.json  see cases_models.py (it needs torchvision, Debian's python3-torchvision)
tools.json   see cases_tools.py (torchvision too)
images.json  see cases_images.py (torchvision too)
sampler.json see cases_sampler.py
curve.json   {seed, losses: [number x 200], accuracy}: what examples/03-port.py prints.
"""

import importlib
import pathlib
import runpy
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from encode import HERE, write  # noqa: E402

FILES = ["norm", "ops", "layers", "init", "optim", "random", "print", "curve", "models", "tools", "images", "sampler"]


def curve():
    script = runpy.run_path(str(HERE.parent.parent / "examples" / "03-port.py"))
    losses, accuracy = script["train"](steps=200)
    return [{"name": "MNIST, 784-100-100-10 with batch norm", "seed": 0, "losses": losses, "accuracy": accuracy}]


def main():
    # The sums of a few kernels depend on the number of threads.
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FILES:
        write(name, curve() if name == "curve" else importlib.import_module(f"cases_{name}").cases())


if __name__ == "__main__":
    main()
