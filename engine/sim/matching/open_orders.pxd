cdef class OpenOrders:
    cdef dict _by_id, _by_owner

    cpdef get(self, order_id)
    cpdef add(self, resting)
    cpdef remove(self, resting)
