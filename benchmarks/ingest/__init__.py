"""Reception side by side with others: ``python -m benchmarks.ingest --help``."""
