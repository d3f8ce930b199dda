"""Loads files that evenkeel wrote and describes them as checkpoints.py does: python3 torch-reads.py FILE ..., a JSON list on standard output."""

import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "golden"))

import torch  # noqa: E402
from checkpoints import Describer  # noqa: E402



def load(path):
    value = torch.load(path)
    if not isinstance(value, dict) or "training_state" not in value:
        return value
    # what a PyTorch user does with it: a model and an optimizer take it, and go on
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    model.load_state_dict(value["model"])
    optimizer = torch.optim.Adam(model.parameters())
    optimizer.load_state_dict(value["optimizer"])
    model(torch.ones(3, 3) * torch.arange(3.0)[:, None]).square().sum().backward()
    optimizer.step()
    return {"lr": optimizer.param_groups[0]["lr"], "step": float(optimizer.state[model[0].weight]["step"])}


print(json.dumps([Describer().value(load(path)) for path in sys.argv[1:]]))
