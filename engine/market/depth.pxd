cimport cython

cdef class Depth:
    cdef readonly long long sign
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _room
    cdef long long[::1] _keys, _sizes

    cpdef long long first(self) except? -1
    cpdef long long first_lots(self) except? -1
    @cython.locals(key=cython.longlong, place=Py_ssize_t)
    cpdef long long lots_at(self, long long tick) except? -1
    @cython.locals(key=cython.longlong, place=Py_ssize_t, before=cython.longlong)
    cpdef long long put(self, long long tick, long long lots) except? -1
    cpdef replace(self, levels)
    @cython.locals(place=Py_ssize_t)
    cpdef forget(self, Py_ssize_t excess)
    cpdef tuple level(self, Py_ssize_t place)
    @cython.locals(place=Py_ssize_t, left=Py_ssize_t, half=Py_ssize_t)
    cpdef Py_ssize_t place_of(self, long long key) except -1
    @cython.locals(part=cython.longlong, place=Py_ssize_t)
    cpdef lots_between(self, Py_ssize_t begin, Py_ssize_t end)
    @cython.locals(at=Py_ssize_t)
    cdef _open(self, Py_ssize_t place)
    @cython.locals(at=Py_ssize_t)
    cdef _close(self, Py_ssize_t place)
    cdef _grow(self)

cdef long long MANY
