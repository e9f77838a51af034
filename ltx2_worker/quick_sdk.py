"""To be imported before RunPod's SDK: makes its import a second shorter.

The SDK, when it is imported, asks py-cpuinfo for the processor's name, for a debug report that the worker
never asks for (`serverless/utils/rp_debugger.py`, 1.12.0). py-cpuinfo starts a process for it, which counts
clock ticks for a second. Without a name the SDK says that it has none.
"""

import cpuinfo

cpuinfo.get_cpu_info = dict
