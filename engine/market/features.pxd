cimport cython
from engine.market.book cimport Book

cdef class Decayed:
    cdef long long _half_life_ns, _at_ns
    cdef double _value

    cpdef add(self, double amount, long long at_ns)
    cpdef double at(self, long long at_ns) except? -1

cdef class Volatility:
    cdef long long _half_life_ns, _sample_ns, _warm_up_ns, _observed_ns, _at_ns
    cdef double _squares, _seconds, _mid

    @cython.locals(fade=double, moved=double, span_ns=cython.longlong)
    cpdef observe(self, double mid, long long at_ns)
    cpdef pause(self)
    @cython.locals(fade=double, seconds=double, quiet_ns=cython.longlong)
    cpdef ticks_per_root_second(self, long long at_ns)

cdef class Features:
    cdef object _microprice
    cdef Volatility _volatility
    cdef Decayed _order_flow, _signed, _volume
    cdef public long long bid_tick, bid_lots, ask_tick, ask_lots, order_flow_last
    cdef long long _marked_bid, _marked_bid_lots, _marked_ask, _marked_ask_lots
    cdef long long _saw_bid, _saw_bid_lots, _saw_ask, _saw_ask_lots

    cpdef mark(self)
    @cython.locals(same_sizes=bint)
    cpdef bint has_left_mark(self) except -1
    @cython.locals(bid=cython.longlong, bid_lots=cython.longlong, ask=cython.longlong, ask_lots=cython.longlong, same_sizes=bint)
    cpdef bint saw(self, Book book) except -1

    cpdef on_book(self, book, long long at_ns)
    cpdef on_whole_book(self, Book book, long long at_ns)
    @cython.locals(same_sizes=bint, bought=cython.longlong, sold=cython.longlong)
    cdef _on_top(self, long long at_ns, long long bid, long long bid_lots, long long ask, long long ask_lots)
    cpdef on_flow(self, long long signed_lots, long long at_ns)
    cpdef on_trade(self, aggressor, lots, long long at_ns)
    cpdef pause(self)

cpdef order_flow_of(tuple before, tuple now)
@cython.locals(flow=cython.longlong)
cdef long long side_flow(long long key_before, long long lots_before, long long key, long long lots) except? -1
cpdef double decay(long long span_ns, long long half_life_ns) except? -1
