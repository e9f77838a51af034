"""What a job's files are called: part of the contract, as a caller with the store's keys needs it too."""

from ltx2_api.record import object_name

__all__ = ["object_name"]
