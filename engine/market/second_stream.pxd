cdef class SecondStream:
    cdef object _behind_ns_max, _newest, _behind_since_ns, _wrong
    cdef readonly dict _waiting
    cdef readonly object compared, matched

    cpdef on_top(self, top, book_sequence)
    cpdef on_book(self, sequence, bid, ask, at_ns)
    cpdef begin_anew(self)
    cpdef doubt(self, now_ns)
    cpdef reset(self)
