"""The clock as evidence (I8): what it did, what the true time was, and that HR staff compared it."""
