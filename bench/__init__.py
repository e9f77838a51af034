"""What the worker costs beside the engine's own time: `python -m bench`; on a GPU, `python -m bench.gpu`."""
