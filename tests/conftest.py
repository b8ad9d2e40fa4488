"""What holds for all tests."""

import gc


def pytest_configure():
    """Import torch and the tests without garbage collection."""
    gc.disable()


def pytest_collection_finish():
    """Exempt what the imports left from garbage collection: a look at it takes a quarter second."""
    gc.collect()
    gc.freeze()
    gc.enable()
