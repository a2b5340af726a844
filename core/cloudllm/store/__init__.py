"""What is kept in the store, one SQLite file: conversations, unsent drafts, the ledger of calls."""
