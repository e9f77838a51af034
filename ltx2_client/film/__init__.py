"""Clips into one film: cuts and transitions, music under the clips' sound, one measured loudness.

Rendering costs no credits and changes no clip; the same film can be rendered as often as its edit changes.
Needs PyAV: `pip install 'ltx2-client[film]'`.
"""

from .edit import Clip, Film, Loudness, Music, Transition, read_film
from .rendering import Report, render

__all__ = ["Clip", "Film", "Loudness", "Music", "Report", "Transition", "read_film", "render"]
