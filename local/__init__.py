"""Sets up everything on a bare machine, then runs a job, the API server or the tests: `python3 -m local`."""
