"""Computes lists of sigmas with ComfyUI's own nodes; run by the engine's Python.

Usage: sigmas.py COMFYUI_DIR < [[class_type, inputs], …] > [[sigma, …], …]
"""

import json
import sys

sys.path.insert(0, sys.argv[1])
sys.argv = [sys.argv[0], "--cpu"]

import comfy.options  # noqa: E402 - importable from here on

comfy.options.enable_args_parsing()

from comfy_extras.nodes_custom_sampler import ManualSigmas  # noqa: E402
from comfy_extras.nodes_lt import LTXVScheduler  # noqa: E402

NODES = {"ManualSigmas": ManualSigmas, "LTXVScheduler": LTXVScheduler}

lists = [NODES[name].execute(**inputs).result[0].tolist() for name, inputs in json.load(sys.stdin)]
json.dump(lists, sys.stdout)
