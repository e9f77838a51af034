"""The page, and the element that other pages take in: files as they are, under a strict policy."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from .common import backend_of

router = APIRouter(include_in_schema=False)

FOLDER = Path(str(files("ltx2_studio").joinpath("page")))

#: Served at /studio: `<script type="module" src="…/studio/ltx2-studio.js">` is all that another page needs.
static = StaticFiles(directory=FOLDER)


@router.get("/")
def page(request: Request) -> FileResponse:
    """A bare page with the element in it."""
    links = " ".join(backend_of(request).links.origins)
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": f"'self' blob: data: {links}",
        "media-src": f"'self' blob: {links}",
        "connect-src": f"'self' {links}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(FOLDER / "index.html", headers=headers)
