cimport cython

cdef class QueuePlace:
    cdef object _model
    cdef public double front_lots

    @cython.locals(passed=double)
    cpdef double on_trade(self, double lots)
    @cython.locals(back=double, behind=double, front=double)
    cpdef on_depth(self, prev, new, traded)
