"""LTX-2 video worker for RunPod serverless: a job spec in, an MP4 with sound out."""

__version__ = "0.1.0"
