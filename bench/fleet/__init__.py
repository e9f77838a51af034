"""A simulation of an endpoint of many workers: what its settings do to waits and to cost.

Nothing here was measured on RunPod. The seconds of a job are the worker's own estimates, the queue and the
scaler behave as RunPod documents them, and what is not documented is an assumption that its field names.
"""
