"""Which file system a file lies on, and whether that belongs to this machine alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = {
    *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "davfs2", "gcsfuse", "glusterfs", "gpfs"),
    *("juicefs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "orangefs", "panfs", "pvfs2", "rclone", "s3fs"),
    *("smb2", "smb3", "smbfs", "sshfs", "webdav"),
}


def find_network(path: Path) -> str | None:
    """The type of the network file system that a file lies on, or would; None where it is a local one.

    Where nothing can be told, it counts as local.
    """
    kind = find_file_system(path).removeprefix("fuse.").lower()
    return kind if kind in _NETWORK else None


def find_file_system(path: Path) -> str:
    """The type of the file system that holds a path, as the system calls it; nothing where that cannot be told."""
    where = path.absolute().parent.resolve() / path.name
    found = [
        (len(point.parts), order, kind) for order, (point, kind) in enumerate(_list_mounts()) if _holds(point, where)
    ]
    return max(found)[2] if found else ""  # what is mounted last lies on top


def _holds(point: Path, where: Path) -> bool:
    return where == point or point in where.parents


def _list_mounts() -> Iterator[tuple[Path, str]]:
    try:
        if sys.platform != "linux":
            import psutil

            yield from ((Path(one.mountpoint), one.fstype) for one in psutil.disk_partitions(all=True))
            return
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        yield Path(point.encode("utf-8", "surrogateescape").decode("unicode_escape")), kind
