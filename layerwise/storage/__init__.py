"""A history in a database: schema, migrations, the run store, read-only queries."""

from layerwise.storage.maintenance import StoreInfo
from layerwise.storage.memory import MEMORY_URL, MemoryStore
from layerwise.storage.migrate import upgrade
from layerwise.storage.store import OpenHistory, Store, check_place, open_store

__all__ = [
    "MEMORY_URL",
    "MemoryStore",
    "OpenHistory",
    "Store",
    "StoreInfo",
    "check_place",
    "open_store",
    "upgrade",
]
