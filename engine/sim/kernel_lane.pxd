cimport cython
from engine.market.book cimport Book
from engine.market.delay cimport DelayMeter
from engine.market.features cimport Features
from engine.market.second_stream cimport SecondStream
from engine.sim.matching.shadow cimport ShadowBook, ShadowHalf
from engine.sim.trail cimport Trail

cdef long long NEVER_NS

cdef class Lane:
    cdef readonly object market, account, engine, maker, quoter, link, tally
    cdef readonly Trail trail
    cdef readonly DelayMeter delay
    cdef readonly SecondStream second_stream
    cdef readonly Book book
    cdef readonly Features features
    cdef readonly ShadowBook shadow
    cdef readonly ShadowHalf venue_bids, venue_asks
    cdef readonly bint is_advised
    cdef public bint has_tops
    cdef public long long heard_ns
    cdef readonly long long book_ns, sequence, our_bid, our_ask, venue_bid, venue_ask, bid, ask
    cdef readonly long long ticked_ns
    cdef object _private
    cdef bint _is_timed
    cdef long long _silence_ns_max, _vouched_ns, _link_ns, _quiet_ns
    cdef object _strategy, _standing, _guidance, _wake
    cdef bint _own_orders_show, _has_timer
    cdef bint _is_known, _is_felt, _is_asleep, _is_touched, _is_venue_touched
    cdef long long _top_moved_ticks, _bid_seen, _ask_seen, _wakes_ns
    cdef double _microprice_moved, _microprice_seen

    cpdef enter(self)
    @cython.locals(now_ns=cython.longlong)
    cpdef leave(self)
    cdef put(self, bint is_sell, long long tick, long long lots)
    cdef bint is_crossed(self, long long now_ns) except -1
    cdef bint is_reached(self, bint is_sell, long long tick) except -1
    cdef _find_venue_top(self)
    cdef bint is_asleep(self, long long now_ns) except -1
    @cython.locals(book=Book)
    cdef _learn(self, long long now_ns)
    cdef long long _turns_ns(self, now_ns) except -1
    cdef bint is_quiet(self, long long now_ns) except -1
    cdef pass_tick(self, long long now_ns)
    cdef long long _alive_ns(self) except? -1
    cdef _find_quiet(self)
    cdef hear_level(self, bint is_sell, long long tick, long long lots)
    @cython.locals(book=Book, now_ns=cython.longlong, is_touched=bint)
    cdef bint wakes(self, long long sequence, long long venue_ns) except -1
    @cython.locals(book=Book)
    cdef _feel(self)
    @cython.locals(book=Book)
    cdef bint _is_doubted(self) except -1
    @cython.locals(features=Features, moved=cython.longlong, drift=double)
    cdef bint _has_moved(self) except -1
    cdef hear_top(self, fact)
