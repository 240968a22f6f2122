cimport cython

cdef class HalfBook:
    cdef public int sign
    cdef public dict lots
    cdef public list keys
    cdef Py_ssize_t _levels_max

    @cython.locals(keys=list, known=dict, size=Py_ssize_t, sign=int)
    cpdef apply(self, levels)
    @cython.locals(known=dict, size=Py_ssize_t)
    cpdef put(self, tick, lots)
    cpdef bint has_excess(self) except -1
    @cython.locals(keys=list)
    cdef _remove_key(self, key)
    @cython.locals(excess=Py_ssize_t)
    cdef _forget_farthest(self)
    @cython.locals(known=dict, keys=list)
    cdef tuple best_without(self, side, own)
    @cython.locals(known=dict, keys=list, depths=list, inside=Py_ssize_t, begin=Py_ssize_t, at=Py_ssize_t, sign=int, has_own=bint)
    cdef list depths_without(self, side, own, middle, reaches_bps)

cdef class Book:
    cdef readonly HalfBook bids, asks
    cdef public object bid_tick, bid_lots, ask_tick, ask_lots

    cpdef settle(self)
    cpdef bint has_excess(self) except -1
    @cython.locals(bids=HalfBook, asks=HalfBook)
    cdef _refresh(self)
    cdef HalfBook _half(self, side)
    cdef list _depths(self, own, bid_tick, ask_tick, reaches_bps)

cdef class BookView:
    cdef Book _book
    cdef object _own
    cdef public object bid_tick, bid_lots, ask_tick, ask_lots
