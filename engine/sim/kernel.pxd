cimport cython
from engine.sim.kernel_lane cimport Lane

cdef long long KIND, IS_SELL, IS_LAST, LANE_SHIFT, LEVEL, OTHER, TRADE, NEVER_NS
cdef int GOES_ON

cdef class Kernel:
    cdef readonly list lanes
    cdef readonly Lane lane
    cdef readonly tuple matches
    cdef public long long count
    cdef public long long tick_ns, tick_turn
    cdef readonly long long feed_ns, timer_ns, now_ns, told_ns, facts, processed, told, heard, end, row
    cdef long long _next
    cdef const long long[::1] _flags, _at_ns, _venue_ns, _numbers, _ticks, _lots
    cdef long long[::1] _turns
    cdef object _kept

    @cython.locals(lane=Lane, stop=int, is_tick=bint)
    cpdef int advance(self, long long due_ns, long long due_turn) except -2
    @cython.locals(lane=Lane)
    cdef bint _is_quiet(self) except -1
    @cython.locals(lane=Lane)
    cdef _pass_tick(self)
    @cython.locals(told=cython.longlong, heard=cython.longlong, feed_ns=cython.longlong,
                   told_ns=cython.longlong, hear_ns=cython.longlong, is_due=bint)
    cdef int _next_step(self, long long due_ns, long long due_turn) except -2
    @cython.locals(lane=Lane, flags=cython.longlong, kind=int, is_sell=bint)
    cdef int _tell(self, long long row, long long now_ns) except -2
    @cython.locals(flags=cython.longlong)
    cdef _put_levels(self, Lane lane, long long row)
    cpdef send(self)
    @cython.locals(lane=Lane, flags=cython.longlong, kind=int, sign=int)
    cdef int _hear(self, long long row) except -2
    @cython.locals(is_asleep=bint, first=cython.longlong, flags=cython.longlong)
    cdef bint _wakes(self, Lane lane, long long row) except -1
