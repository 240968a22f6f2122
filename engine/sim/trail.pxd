cdef class Trail:
    cdef readonly object opening_base_atoms, at_ns, bids, asks
    cdef readonly list quoted, fill_mids
    cdef dict _open
    cdef long long _bid, _ask, _last_ns

    cpdef on_top(self, long long at_ns, long long bid, long long ask)
