# a plain NULL bug: the same signal, no memory about it
import ctypes

ctypes.string_at(0)
