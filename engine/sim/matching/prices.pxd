cimport cython

cdef class Prices:
    cdef int _sign
    cdef list _keys

    @cython.locals(keys=list)
    cpdef long long first(self) except? -1
    cpdef add(self, tick)
    @cython.locals(keys=list)
    cpdef remove(self, tick)
