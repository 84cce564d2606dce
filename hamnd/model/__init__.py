"""Frozen values that every room speaks about; no behaviour beyond their own consistency."""
