"""What is kept in the store, one SQLite file: the ledger of all calls, unsent drafts."""
