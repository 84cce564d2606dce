"""hamnd keeps the management of an xCAT cluster alive when its management node dies."""
