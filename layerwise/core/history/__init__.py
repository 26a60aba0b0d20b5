"""What is stored, as types: records, the protocol that every history fulfils, and histories in memory."""
