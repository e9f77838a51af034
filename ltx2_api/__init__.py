"""What both sides of the endpoint agree on: a job, its price, its progress, its reply, its errors.

The worker, a client and a backend import the same definitions. This package needs pydantic and nothing else.
"""
