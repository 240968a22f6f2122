cimport cython

cdef class DelayMeter:
    cdef long long _window_ns, _turns_ns, _floor_now, _floor_before
    cdef readonly long long delay_ns

    @cython.locals(difference=cython.longlong)
    cpdef observe(self, long long at_ns, long long venue_ns)
    cpdef reset(self)
