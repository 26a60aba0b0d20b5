"""Commands that keep things in order: `delete`, `db`, `plugins`."""
