"""The API's routes, a file for each thing that is asked for."""
