"""A history in a database: schema, migrations, the run store, read-only queries."""

from layerwise.storage.maintenance import StoreInfo
from layerwise.storage.migrate import upgrade
from layerwise.storage.store import Store, check_place, open_store

__all__ = ["Store", "StoreInfo", "check_place", "open_store", "upgrade"]
