# C types of depth_kernel.py. `noexcept` is a promise of the plain loops: none of them can raise.
cimport cython

cdef long long DIGITS_MAX, TEXT_MAX, MS_MAX, NO_NUMBER, SLOTS_LAST

@cython.final
cdef class DepthReader:
    cdef str _market
    cdef bytes _symbol, _frame
    cdef list _ticks
    cdef const unsigned char* _data
    cdef bint _is_able
    cdef int _price_exponent, _size_exponent
    cdef long long _tick_unit, _lot_unit, _rest
    cdef readonly long long first_id, previous_id
    cdef Py_ssize_t _at, _end

    @cython.locals(venue_ms="long long", last_id="long long", bids=list, asks=list)
    cdef _message(self, at_ns)
    @cython.locals(length=Py_ssize_t, at=Py_ssize_t, i=Py_ssize_t, data="const unsigned char*")
    cdef inline bint _passes(self, const unsigned char* text) noexcept
    @cython.locals(at=Py_ssize_t, end=Py_ssize_t, code="unsigned char", data="const unsigned char*")
    cdef bint _passes_name(self) noexcept
    cdef long long _number_after(self, const unsigned char* text) noexcept
    @cython.locals(start=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, value="long long", code="unsigned char", data="const unsigned char*")
    cdef long long _number(self) noexcept
    @cython.locals(tick="long long", lots="long long", levels=list)
    cdef list _levels_after(self, const unsigned char* text)
    cdef inline long long _tick(self) noexcept
    @cython.locals(lots="long long")
    cdef inline long long _lots(self) noexcept
    @cython.locals(value="long long")
    cdef inline _known(self, long long tick)
    @cython.locals(start=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t, end=Py_ssize_t, value="long long", rest="long long", missing=int, data="const unsigned char*")
    cdef inline long long _decimal(self, int exponent, long long unit) noexcept
