cimport cython
from engine.market.depth cimport Depth

cdef class PublicSide:
    cdef readonly Depth prices
    cdef int _sign
    cdef dict _used
    cdef set _changed

    cpdef shown(self, long long tick)
    cpdef used(self, tick)
    cpdef free(self, tick)
    cpdef use(self, tick, lots)
    @cython.locals(prev=cython.longlong)
    cpdef long long set(self, long long tick, long long lots) except? -1
    cpdef show(self, long long tick, long long lots)
