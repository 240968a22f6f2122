cimport cython
from engine.sim.matching.queue cimport QueuePlace

cdef class SharedQueue:
    cdef object _model, _orders, _traded
    cdef dict _places

    @cython.locals(place=QueuePlace, last=QueuePlace)
    cpdef join(self, resting, shown)
    cpdef remove(self, order_id)
    cpdef list trade(self, lots, told)
    cpdef list through(self, lots)
    @cython.locals(place=QueuePlace)
    cpdef exhaust(self)
    @cython.locals(place=QueuePlace, floor=double)
    cpdef depth(self, prev, new)
    @cython.locals(fills=list, left=double, passed=double, ahead=double, place=QueuePlace)
    cdef list _filled_by(self, lots)
