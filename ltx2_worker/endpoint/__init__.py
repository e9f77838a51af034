"""RunPod around the worker: jobs in, progress and replies out, and an orderly end."""
