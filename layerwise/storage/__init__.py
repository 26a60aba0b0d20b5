"""A history in a database: schema, migrations, the run store, read-only queries."""
