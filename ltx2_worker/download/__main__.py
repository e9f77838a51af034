"""The command that fetches model files: `python -m ltx2_worker.download`; download_models.sh calls it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from ..catalog.files import MANIFEST, ModelFile, in_sets, load_manifest, sets
from .downloader import FAILED, INTERRUPTED, OK, Downloader
from .hub import Hub, Stopped

EXIT_CODES = """\
exit codes: 0 everything is there; 1 some files could not be fetched or do not pass the check, a sentence for
each; 2 wrong usage; 3 not enough free disk, nothing was begun; 4 Python lacks a package; 130 interrupted.

HF_ENDPOINT names a mirror of the hub, HF_TOKEN opens gated repositories. A run that was interrupted goes on
where it stopped. What has its final name has the hub's size and sha256.
"""


def show_list(files: Sequence[ModelFile], console: Console) -> None:
    """Print the files with their sizes and sets, and the total."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("sets")
    table.add_column("licence")
    for file in files:
        size = ("" if file.size_exact else "about ") + decimal(file.size)
        table.add_row(str(file.relative), size, ", ".join(file.sets), file.licence)
    console.print(table)
    console.print(f"{len(files)} files, {decimal(sum(file.size for file in files))} in all")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="download_models.sh",
        description="Fetch the model files.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ", ".join(sets())
    parser.add_argument("--set", dest="sets", action="append", help=f"{names} or all; repeatable")
    parser.add_argument("--file", dest="ids", action="append", help="of the sets, only this id; repeatable")
    parser.add_argument("--dest", type=Path, help="models folder, with ComfyUI's layout")
    parser.add_argument("--jobs", type=int, default=4, choices=range(1, 17), metavar="1..16")
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="another list than files.toml")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="show files and sizes; asks nobody")
    action.add_argument("--check", action="store_true", help="hash what is there against the hub")
    action.add_argument("--dry-run", action="store_true", help="say what would be fetched")
    args = parser.parse_args(argv)
    if not args.sets and not args.list:
        parser.error("name at least one --set")
    if args.dest is None and not args.list:
        parser.error("name the models folder: --dest")
    listed = load_manifest(args.manifest)
    try:
        args.files = in_sets(listed.values(), args.sets or ["all"])
    except ValueError as error:
        parser.error(str(error))
    known = set(listed)
    if unknown := sorted(set(args.ids or ()) - known):
        parser.error(f"there is no file {unknown[0]!r}; there are {', '.join(known)}")
    if args.ids:
        args.files = tuple(file for file in args.files if file.id in args.ids)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    args = _arguments(argv)
    width = None if sys.stdout.isatty() else 160  # a log has no width; the default would cut the table
    console = Console(highlight=False, soft_wrap=True, width=width)
    if args.list:
        show_list(args.files, console)
        return OK
    downloader = Downloader(Hub(), args.dest, console, args.jobs)
    try:
        if args.check:
            return downloader.check(args.files)
        if args.dry_run:
            return downloader.fetch(args.files, dry_run=True)
        args.dest.mkdir(parents=True, exist_ok=True)
        with FileLock(args.dest / ".download.lock", timeout=0):
            return downloader.fetch(args.files)
    except Timeout:
        console.print("Another download is writing into this folder; wait for it or stop it.")
        return FAILED
    except (KeyboardInterrupt, Stopped):
        console.print("Stopped; run the same command again to go on from here.")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
