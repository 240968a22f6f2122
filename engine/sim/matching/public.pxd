cimport cython
from engine.sim.matching.prices cimport Prices

cdef class PublicSide:
    cdef readonly Prices prices
    cdef dict _shown, _used
    cdef set _changed

    cpdef shown(self, tick)
    cpdef used(self, tick)
    cpdef free(self, tick)
    cpdef use(self, tick, lots)
    cpdef set(self, tick, lots)
    @cython.locals(shown=dict, size=Py_ssize_t)
    cpdef show(self, tick, lots)
