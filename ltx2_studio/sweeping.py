"""What customers deleted is deleted in the bucket too: some time later, again after a failure, once."""

import asyncio
import logging
from dataclasses import dataclass

from . import finding, generations
from .generations import Row
from .ports import Links
from .store import Store

log = logging.getLogger(__name__)

#: Generations of one round.
AT_ONCE = 50


@dataclass
class Sweeper:
    """Deletes what belongs to deleted generations."""

    store: Store
    links: Links

    async def sweep_due(self) -> int:
        """Delete the files of some deleted generations; returns how many there were."""
        rows = await self.store.within(lambda db: finding.to_sweep(db, AT_ONCE))
        swept = 0
        for row in rows:
            swept += await self._swept(row)
        return swept

    async def _swept(self, row: Row) -> bool:
        assert row.job_id is not None
        try:
            await asyncio.to_thread(self.links.remove_video, row.job_id, row.id)
        except Exception as error:  # noqa: BLE001 - whatever the store's library raises: it is tried again
            log.warning("files not deleted", extra={"generation": row.id, "error": type(error).__name__})
            return False
        at = self.store.clock()
        await self.store.within(lambda db: generations.swept(db, row, at))
        log.info("files deleted", extra={"generation": row.id})
        return True
