"""Compile the step of a network's first stage; print hits and misses of the cache, as JSON.

`python FILE SEED LAYER_SCALE`: variants with other weights are the same graph.
"""

import json
import sys

import torch
from torch._dynamo.utils import counters

from roadmap.network import build
from steps.roadmaps.load import load_roadmap

SMALL = {
    "network.stages.all.depth": 1,
    "network.drop_path": 0.0,
    "network.layer_scale": float(sys.argv[2]),
}
torch.set_num_threads(1)
torch.manual_seed(int(sys.argv[1]))
stage = build(load_roadmap("tiny").overridden(SMALL)["13"].spec.network).stages[0]
stage.to(memory_format=torch.channels_last).compile(dynamic=False)
maps = torch.randn(2, 24, 8, 8).contiguous(memory_format=torch.channels_last)
stage(maps).square().mean().backward()
found = counters["inductor"]
print(json.dumps([found["fxgraph_cache_hit"], found["fxgraph_cache_miss"]]))
