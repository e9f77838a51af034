"""Frames and sound in, a finished MP4 out: runs on a thread of ComfyUI, or as a process of its own.

Needs PyAV, numpy and Pillow, which ComfyUI brings; knows neither torch nor ComfyUI.
"""
