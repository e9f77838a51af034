"""How a module of sub-commands makes one: `new("watch", "follow a job")` is its parser."""

import argparse
from collections.abc import Callable

#: Name and one line about it; the parser sets `command` by `set_defaults` to what runs it.
NewCommand = Callable[[str, str], argparse.ArgumentParser]
