"""The PyTorch side of main.ts: makes a checkpoint and what PyTorch computes from it, and reads back what evenkeel wrote.

    models.py make NAME FOLDER SEED SIDE TRAIN_SIDE BATCH SHIFT    writes NAME.pt and NAME.expected.pt
    models.py check NAME FOLDER                                    reads NAME.back.pt and NAME.after.pt; prints JSON

Random parameters and statistics are those of the golden numbers: test/golden/cases_models.py.
"""

import copy
import json
import pathlib
import sys

import torch
import torchvision
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "golden"))
from cases_models import fill, one_step  # noqa: E402


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def make(name, folder, seed, side, train_side, batch, shift):
    # A ReLU at 0, or two equal values under a pooling, fall to either side with the last bit, and move gradients by up to a hundredth. A draw is taken in
    # which PyTorch's own float32 gradients are those of float64, or nearly.
    for tried in range(seed, seed + 8):
        model = without_dropout(getattr(torchvision.models, name)())
        fill(model, tried, shift)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        draw = lambda size: torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(tried))
        train_images, targets = draw(train_side), [i % 1000 for i in range(batch)]
        exact = one_step(copy.deepcopy(model).double(), train_images.double(), targets)[1]
        with torch.no_grad():
            logits = model.eval()(images := draw(side))
        loss, grads = one_step(model, train_images, targets)
        sizes = {key: value.abs().max().item() for key, value in exact.items()}
        floor = max(sizes.values()) / 200
        if max(((grads[k] - exact[k]).abs().max() / max(sizes[k], floor)).item() for k in grads) < 9e-5:
            break
    # The metadata of the layers' versions comes with state_dict().
    state = model.state_dict()
    after = {key: value.clone() for key, value in state.items()}
    for key, value in state.items():
        value.copy_(before[key])
    torch.save(state, folder / f"{name}.pt")
    expected = {
        "seed": tried,
        "images": images,
        "trainImages": train_images,
        "targets": torch.tensor(targets),
        "logits": logits,
        "loss": loss,
        "grads": grads,
        "exact": {key: value.float() for key, value in exact.items()},
        "after": after,
    }
    torch.save(expected, folder / f"{name}.expected.pt")


def check(name, folder):
    original = torch.load(folder / f"{name}.pt")
    back = torch.load(folder / f"{name}.back.pt")
    same = list(back) == list(original) and back._metadata == original._metadata
    same = same and all(back[k].dtype == v.dtype and torch.equal(back[k], v) for k, v in original.items())
    after = torch.load(folder / f"{name}.after.pt")
    model = getattr(torchvision.models, name)()
    model.load_state_dict(after["model"])
    images = torch.load(folder / f"{name}.expected.pt")["images"]
    with torch.no_grad():
        logits = model.eval()(images)
    error = ((logits - after["logits"]).abs().max() / logits.abs().max()).item()
    print(json.dumps({"same": same, "error": error}))


def main():
    command, name, folder, *numbers = sys.argv[1:]
    if command == "make":
        make(name, pathlib.Path(folder), *map(int, numbers[:4]), float(numbers[4]))
    else:
        check(name, pathlib.Path(folder))


if __name__ == "__main__":
    main()
