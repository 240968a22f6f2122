cimport cython
from engine.sim.matching.prices cimport Prices
from engine.sim.matching.public cimport PublicSide
from engine.sim.matching.shared_queue cimport SharedQueue

cdef class ShadowHalf:
    cdef readonly object side
    cdef readonly PublicSide recorded
    cdef readonly dict queues
    cdef readonly Prices prices

    @cython.locals(queue=SharedQueue)
    cpdef add(self, resting, model)
    @cython.locals(queue=SharedQueue)
    cpdef remove(self, resting)
    cpdef apply(self, levels, replace)
    @cython.locals(queue=SharedQueue, prev=cython.longlong)
    cpdef put(self, long long tick, long long lots)
    cpdef show(self, long long tick, long long lots)

cdef class ShadowBook:
    cdef public object _model
    cdef readonly ShadowHalf bids, asks
    cdef object _orders

    cpdef tuple apply_public(self, bids, asks, replace)
    cpdef tuple crossed(self)
    @cython.locals(half=ShadowHalf, queue=SharedQueue)
    cpdef tuple public_trade(self, tick, lots, aggressor)
    @cython.locals(bids=PublicSide, asks=PublicSide)
    cpdef tuple top(self)
    cdef ShadowHalf _half(self, side)
    @cython.locals(public=PublicSide, queue=SharedQueue)
    cdef list _cross(self, ShadowHalf half)
    cdef _fill(self, resting, lots)
    cdef _lessen(self, resting, lots)
    cdef _remove(self, resting)
