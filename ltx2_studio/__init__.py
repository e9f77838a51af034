"""`/api/generations`: what stands between a platform's page and its LTX-2 endpoint.

RunPod's queue does the work; this keeps what must survive it: the intent before a job is sent, its id, the
money, the outcome, and whom to tell.
"""
