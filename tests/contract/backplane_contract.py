"""What every backplane must do.

An adapter's own test subclasses `BackplaneContract` and gives the `deployment`:

class TestEmbedded(BackplaneContract):
    @pytest_asyncio.fixture
    async def deployment(self, tmp_path): ...
"""

from __future__ import annotations

from tests.contract.catalogue_contract import CatalogueContract
from tests.contract.compaction_contract import CompactionContract
from tests.contract.deletion_contract import DeletionContract
from tests.contract.lease_contract import LeaseContract
from tests.contract.ledger_contract import LedgerContract
from tests.contract.log_contract import LogContract


class BackplaneContract(
    LogContract, CompactionContract, DeletionContract, CatalogueContract, LeaseContract, LedgerContract
):
    """All of it, for one deployment."""
