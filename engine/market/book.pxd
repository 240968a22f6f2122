cimport cython
from engine.market.depth cimport Depth

cdef class HalfBook:
    cdef readonly long long sign
    cdef readonly Depth depth
    cdef Py_ssize_t _levels_max

    @cython.locals(depth=Depth)
    cpdef apply(self, levels)
    cpdef put(self, long long tick, long long lots)
    cpdef bint has_excess(self) except -1
    cdef _forget_farthest(self)
    @cython.locals(depth=Depth, place=Py_ssize_t)
    cdef tuple best_without(self, side, own)
    @cython.locals(depth=Depth, depths=list, inside=Py_ssize_t, begin=Py_ssize_t, place=Py_ssize_t, mine=list, sign=object)
    cdef list depths_without(self, side, own, middle, reaches_bps)

cdef class Book:
    cdef readonly HalfBook bids, asks
    cdef public long long bid_tick, bid_lots, ask_tick, ask_lots

    cpdef settle(self)
    cpdef bint has_excess(self) except -1
    @cython.locals(bids=Depth, asks=Depth)
    cdef _refresh(self)
    cdef HalfBook _half(self, side)
    cdef list _depths(self, own, bid_tick, ask_tick, reaches_bps)

cdef class BookView:
    cdef Book _book
    cdef object _own
    cdef public long long bid_tick, bid_lots, ask_tick, ask_lots
