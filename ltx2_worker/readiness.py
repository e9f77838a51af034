"""Getting ready for jobs: the engine is found, checked and warm, or it is known why no job can be done."""

import logging
import threading
from collections.abc import Callable

from ltx2_api.errors import ErrorCode, WorkerError

from . import preflight
from .catalog.family import Recipe
from .catalog.files import ModelLibrary
from .engine import Engine
from .offer import Offer
from .settings import Settings

log = logging.getLogger(__name__)


class Readiness:
    """What is known of this machine's fitness for jobs.

    Arguments:
        settings: the operator's.
        engine: asked for its nodes and its device, once it has started.
        library: the model files that are here.

    Attributes:
        unfit: why no job at all can be done, or None.
        device: the engine's, once it was asked.
    """

    def __init__(self, settings: Settings, engine: Engine, library: ModelLibrary) -> None:
        self._settings = settings
        self._engine = engine
        self._library = library
        self._verdict = preflight.Verdict()
        self._warm = threading.Event()
        self.unfit: str | None = None
        self.device = ""

    @property
    def is_ready(self) -> bool:
        """Whether the engine was found fit and is warm."""
        return self.unfit is None and self._warm.is_set()

    @property
    def fit(self) -> tuple[Recipe, ...]:
        """The recipes that can be run here, once the engine was checked."""
        return self._verdict.fit

    def require(self, recipe: Recipe) -> None:
        """Check that a job by this recipe can be done, as far as is known.

        Raises:
            WorkerError: MODEL_NOT_INSTALLED, ENGINE_UNAVAILABLE.
        """
        self._verdict.require(recipe)
        if self.unfit is not None:
            raise unfit()

    def has_engine(self) -> bool:
        """Whether the settings lead to an engine that can be started."""
        self.unfit = preflight.missing_engine(self._settings)
        return self.unfit is None

    def wait_until_given_up(self) -> str:
        """Return, when it comes to that, why no job can be done here any more."""
        while self.unfit is None:
            if self._engine.gave_up.wait(1.0):
                return "the engine crashed too often in a row"
        return self.unfit

    def get_ready(self, warm_up: Callable[[], None]) -> None:
        """Check the engine, then load weights before the first job if the operator wants that.

        Arguments:
            warm_up: loads them.
        """
        try:
            if self.unfit is None:
                models = Offer.of(self._settings.offer).models
                self._verdict = preflight.judge(self._engine, self._library, models)
                self.unfit = self._verdict.unfit
                self._say_what_is_kept()
                self.device = self._engine.device()
            if self._settings.warmup and self.unfit is None:
                warm_up()
        except Exception:
            # Perhaps a volume did not answer. The worker takes jobs nevertheless: a job that fails says why,
            # and a worker that never took one would stand idle for good.
            log.exception("worker not ready")
        finally:
            self._warm.set()

    def _say_what_is_kept(self) -> None:
        """Where there are several models: whether the host's memory has to hold them all."""
        models = list(dict.fromkeys(recipe.family.name for recipe in self.fit))
        if len(models) < 2 or not self._settings.keep_models_loaded:
            return
        is_all = self._settings.keep_all_models_loaded
        files = {
            file
            for recipe in self.fit
            for file in recipe.files(recipe.family.precisions[0], self._library.has).values()
            if self._library.has(file)
        }
        log.info(
            "weights of all models are kept"
            if is_all
            else "weights of one model are kept, a job with another loads its own",
            extra={"models": models, "gigabytes_of_all": round(sum(file.size for file in files) / 1e9, 1)},
        )


def unfit() -> WorkerError:
    """The error of every job that reaches a worker that cannot do any."""
    return WorkerError(
        ErrorCode.ENGINE_UNAVAILABLE, "This worker cannot generate videos; its operator must look at its log."
    )
