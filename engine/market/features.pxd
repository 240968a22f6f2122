cimport cython

cdef class Decayed:
    cdef object _half_life_ns, _at_ns
    cdef double _value

cdef class Volatility:
    cdef object _half_life_ns, _sample_ns, _warm_up_ns, _observed_ns, _at_ns
    cdef double _squares, _seconds, _mid

    @cython.locals(fade=double, moved=double)
    cpdef observe(self, double mid, at_ns)
    cpdef pause(self)
    @cython.locals(fade=double, seconds=double)
    cpdef ticks_per_root_second(self, at_ns)

cdef class Features:
    cdef object _microprice
    cdef Volatility _volatility
    cdef Decayed _order_flow, _signed, _volume
    cdef public object bid_tick, bid_lots, ask_tick, ask_lots, order_flow_last

    cpdef on_book(self, book, at_ns)
    cpdef pause(self)
    cdef _feel(self, book, at_ns)

cpdef double decay(span_ns, half_life_ns) except? -1
