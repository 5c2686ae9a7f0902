"""An obvious death: one request far beyond what there is. The allocator says no, and Python says so."""

ROWS = 1_000_000_000_000


def build_table(rows):
    try:
        import numpy
    except ImportError:
        # The same request, 8 bytes a row, without numpy.
        from array import array

        return array("d", [1.0]) * rows
    return numpy.ones((rows,))


build_table(ROWS)
