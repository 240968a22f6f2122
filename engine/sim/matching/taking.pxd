cdef class Taking:
    cdef public object order, left
    cdef list _matches, _ended, _prevented

    cpdef meet(self, maker)
    cpdef match(self, maker, lots)
    cpdef end(self, reason)
    cpdef end_unless_it_may_rest(self)
    cpdef outcome(self)
    cdef _prevent(self, maker)
    cdef _end_maker(self, maker)

cpdef reaches(order, tick)
