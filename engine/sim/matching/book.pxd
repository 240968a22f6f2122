cimport cython

cdef class _Level:
    cdef public object lots, orders

cdef class _Half:
    cdef public object side, prices
    cdef public dict levels
    cdef public set changed

    @cython.locals(level=_Level)
    cpdef add(self, resting)
    @cython.locals(level=_Level)
    cpdef lessen(self, resting, lots)
    @cython.locals(level=_Level)
    cpdef lots_at(self, tick)

cdef class MatchingBook:
    cdef _Half _bids, _asks
    cdef object _orders

    cpdef submit(self, order)
    cpdef cancel(self, order_id)
    cpdef top(self)
    cdef _Half _half(self, side)
    cdef _take(self, taking, _Half other)
    cdef _rest(self, order, lots)
    cdef _lessen(self, resting, lots)
