cimport cython

cdef class Prices:
    cdef int _sign
    cdef list _keys

    cpdef add(self, tick)
    @cython.locals(keys=list)
    cpdef remove(self, tick)
