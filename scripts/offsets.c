/*
 * Prints the layout of a CPython as JSON: compiled by offsets.mjs against the headers of each CPython at hand.
 * One group a struct, one number a field; a field that a version lacks is left out.
 */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <opcode.h>
#include <stddef.h>
#include <stdio.h>
#define SINCE(minor) (PY_VERSION_HEX >= (0x03000000 | ((minor) << 16)))
#if PY_VERSION_HEX < 0x03000000
# define PYTHON2 1
#else
# define PYTHON2 0
#endif
#if SINCE(8)
# include "internal/pycore_pystate.h"
#elif SINCE(7)
# include "internal/pystate.h"
# include "internal/mem.h"
#endif
#if SINCE(9)
# include "internal/pycore_interp.h"
# include "internal/pycore_gc.h"
# include "internal/pycore_runtime.h"
#endif
#if SINCE(11)
# include "internal/pycore_frame.h"
# include "internal/pycore_code.h"
# include "internal/pycore_dict.h"
#endif
#if SINCE(13)
# include "internal/pycore_moduleobject.h"
# define NEED_OPCODE_METADATA
# include "internal/pycore_opcode_metadata.h"
#endif
#if SINCE(14)
# include "internal/pycore_interpframe.h"
# include "internal/pycore_interpframe_structs.h"
#endif
#if SINCE(11) && !SINCE(13)
# include "internal/pycore_genobject.h"
#elif !SINCE(11)
# include "genobject.h"
#endif

static int groups, fields;
static void group(const char *name) { printf("%s\"%s\": {", groups++ ? "}, " : "", name); fields = 0; }
static void number(const char *name, long long value) { printf("%s\"%s\": %lld", fields++ ? ", " : "", name, value); }
#define FIELD(name, type, member) number(name, (long long)offsetof(type, member))

int main(void) {
  printf("{");
#if SINCE(7)
  group("runtime");
  FIELD("interpretersHead", _PyRuntimeState, interpreters.head);
  number("size", sizeof(_PyRuntimeState));
# if SINCE(7) && !SINCE(9)
  FIELD("gcGenerations", _PyRuntimeState, gc.generations);
  FIELD("gcPermanent", _PyRuntimeState, gc.permanent_generation);
  FIELD("gcCollecting", _PyRuntimeState, gc.collecting);
# endif
# if !SINCE(12)
  FIELD("threadCurrent", _PyRuntimeState, gilstate.tstate_current);
# endif
#endif

  group("interpreter");
  FIELD("next", PyInterpreterState, next);
#if SINCE(11)
  FIELD("threadsHead", PyInterpreterState, threads.head);
#else
  FIELD("threadsHead", PyInterpreterState, tstate_head);
#endif
#if SINCE(12)
  FIELD("modules", PyInterpreterState, imports.modules);
#else
  FIELD("modules", PyInterpreterState, modules);
#endif
  FIELD("sysdict", PyInterpreterState, sysdict);
  FIELD("builtins", PyInterpreterState, builtins);
#if SINCE(9)
  FIELD("gcGenerations", PyInterpreterState, gc.generations);
  FIELD("gcPermanent", PyInterpreterState, gc.permanent_generation);
  FIELD("gcCollecting", PyInterpreterState, gc.collecting);
#endif
#if SINCE(12)
  FIELD("gil", PyInterpreterState, ceval.gil);
#endif
#if SINCE(14)
  FIELD("gc", PyInterpreterState, gc);
  FIELD("gcEnabled", PyInterpreterState, gc.enabled);
#endif
  number("size", sizeof(PyInterpreterState));

  group("gc");
#if SINCE(7)
  number("generationSize", sizeof(struct gc_generation));
#else
  /* struct gc_generation is private to gcmodule.c: PyGC_Head, int threshold, int count. */
  number("generationSize", sizeof(PyGC_Head) + 2 * sizeof(int) + 8);
#endif
  number("headSize", sizeof(PyGC_Head));

#if SINCE(12)
  group("gil");
  FIELD("locked", struct _gil_runtime_state, locked);
  FIELD("lastHolder", struct _gil_runtime_state, last_holder);
#endif

  group("thread");
  FIELD("next", PyThreadState, next);
  FIELD("interpreter", PyThreadState, interp);
  FIELD("pthread", PyThreadState, thread_id);
#if SINCE(13)
  FIELD("currentFrame", PyThreadState, current_frame);
#elif SINCE(11)
  FIELD("cframe", PyThreadState, cframe);
  FIELD("cframeCurrentFrame", _PyCFrame, current_frame);
#else
  FIELD("frame", PyThreadState, frame);
#endif
#if SINCE(11)
  FIELD("nativeId", PyThreadState, native_thread_id);
#endif
  FIELD("dict", PyThreadState, dict);
#if SINCE(12)
  FIELD("currentException", PyThreadState, current_exception);
#else
  FIELD("currentException", PyThreadState, curexc_value);
#endif
#if SINCE(7)
  FIELD("excInfo", PyThreadState, exc_info);
#endif

#if SINCE(11)
  group("frame");
# if SINCE(13)
  FIELD("code", _PyInterpreterFrame, f_executable);
  FIELD("instruction", _PyInterpreterFrame, instr_ptr);
# else
  FIELD("code", _PyInterpreterFrame, f_code);
  FIELD("instruction", _PyInterpreterFrame, prev_instr);
# endif
  FIELD("previous", _PyInterpreterFrame, previous);
  FIELD("globals", _PyInterpreterFrame, f_globals);
  FIELD("locals", _PyInterpreterFrame, f_locals);
  FIELD("frameObject", _PyInterpreterFrame, frame_obj);
# if SINCE(14)
  FIELD("stackpointer", _PyInterpreterFrame, stackpointer);
# else
  FIELD("stacktop", _PyInterpreterFrame, stacktop);
# endif
  FIELD("owner", _PyInterpreterFrame, owner);
# if SINCE(12)
  FIELD("function", _PyInterpreterFrame, f_funcobj);
# else
  FIELD("function", _PyInterpreterFrame, f_func);
# endif
  FIELD("localsplus", _PyInterpreterFrame, localsplus);
#endif
  group("frameObject");
  FIELD("back", PyFrameObject, f_back);
  FIELD("trace", PyFrameObject, f_trace);
#if SINCE(11)
  FIELD("frame", PyFrameObject, f_frame);
  FIELD("frameData", PyFrameObject, _f_frame_data);
#else
  FIELD("code", PyFrameObject, f_code);
  FIELD("globals", PyFrameObject, f_globals);
  FIELD("locals", PyFrameObject, f_locals);
  FIELD("valuestack", PyFrameObject, f_valuestack);
  FIELD("lasti", PyFrameObject, f_lasti);
  FIELD("localsplus", PyFrameObject, f_localsplus);
# if SINCE(10)
  FIELD("stackdepth", PyFrameObject, f_stackdepth);
# else
  FIELD("stacktop", PyFrameObject, f_stacktop);
# endif
#endif

  group("code");
  FIELD("filename", PyCodeObject, co_filename);
  FIELD("name", PyCodeObject, co_name);
  FIELD("firstLine", PyCodeObject, co_firstlineno);
  FIELD("stackSize", PyCodeObject, co_stacksize);
  FIELD("flags", PyCodeObject, co_flags);
  FIELD("consts", PyCodeObject, co_consts);
  FIELD("weakrefs", PyCodeObject, co_weakreflist);
#if SINCE(10)
  FIELD("lineTable", PyCodeObject, co_linetable);
#else
  FIELD("lineTable", PyCodeObject, co_lnotab);
#endif
#if SINCE(11)
  FIELD("qualname", PyCodeObject, co_qualname);
  FIELD("localsplusNames", PyCodeObject, co_localsplusnames);
  FIELD("localsplusKinds", PyCodeObject, co_localspluskinds);
  FIELD("bytecode", PyCodeObject, co_code_adaptive);
#else
  FIELD("varnames", PyCodeObject, co_varnames);
  FIELD("cellvars", PyCodeObject, co_cellvars);
  FIELD("freevars", PyCodeObject, co_freevars);
  FIELD("zombieFrame", PyCodeObject, co_zombieframe);
#endif
  number("size", sizeof(PyCodeObject));

  group("type");
  FIELD("name", PyTypeObject, tp_name);
  FIELD("basicSize", PyTypeObject, tp_basicsize);
  FIELD("itemSize", PyTypeObject, tp_itemsize);
  FIELD("flags", PyTypeObject, tp_flags);
  FIELD("dictOffset", PyTypeObject, tp_dictoffset);
  FIELD("weaklistOffset", PyTypeObject, tp_weaklistoffset);
  FIELD("dict", PyTypeObject, tp_dict);
  FIELD("base", PyTypeObject, tp_base);
  FIELD("bases", PyTypeObject, tp_bases);
  FIELD("mro", PyTypeObject, tp_mro);
  FIELD("cache", PyTypeObject, tp_cache);
  FIELD("subclasses", PyTypeObject, tp_subclasses);
  FIELD("members", PyTypeObject, tp_members);
  number("size", sizeof(PyTypeObject));
  group("heapType");
  FIELD("name", PyHeapTypeObject, ht_name);
#if !PYTHON2
  FIELD("qualname", PyHeapTypeObject, ht_qualname);
  FIELD("cachedKeys", PyHeapTypeObject, ht_cached_keys);
#endif
  FIELD("slots", PyHeapTypeObject, ht_slots);
#if SINCE(9)
  FIELD("module", PyHeapTypeObject, ht_module);
#endif
  number("size", sizeof(PyHeapTypeObject));

#if !PYTHON2
  group("string");
  FIELD("length", PyASCIIObject, length);
  FIELD("state", PyASCIIObject, state);
  number("asciiSize", sizeof(PyASCIIObject));
  number("compactSize", sizeof(PyCompactUnicodeObject));
  FIELD("utf8Length", PyCompactUnicodeObject, utf8_length);
  FIELD("utf8", PyCompactUnicodeObject, utf8);
# if !SINCE(12)
  FIELD("wstr", PyASCIIObject, wstr);
  FIELD("wstrLength", PyCompactUnicodeObject, wstr_length);
# endif
  FIELD("data", PyUnicodeObject, data);
  number("size", sizeof(PyUnicodeObject));

  group("generator");
# if SINCE(13) && !SINCE(14)
  /* private to genobject.c in 3.13: the frame ends the object, as its type's tp_basicsize says. */
# elif SINCE(11)
  FIELD("interpreterFrame", PyGenObject, gi_iframe);
  FIELD("frameState", PyGenObject, gi_frame_state);
#  if SINCE(14)
  number("executing", FRAME_EXECUTING);
#  endif
# else
  FIELD("frame", PyGenObject, gi_frame);
# endif
  number("size", sizeof(PyGenObject));
#endif
  group("function");
  FIELD("code", PyFunctionObject, func_code);
  FIELD("globals", PyFunctionObject, func_globals);
#if !PYTHON2
  FIELD("qualname", PyFunctionObject, func_qualname);
#endif
  FIELD("closure", PyFunctionObject, func_closure);
#if SINCE(14)
  group("tuple");
  FIELD("items", PyTupleObject, ob_item);
  group("module");
  FIELD("state", PyModuleObject, md_state);
# if SINCE(15)
  FIELD("stateSize", PyModuleObject, md_state_size);
# else
  FIELD("definition", PyModuleObject, md_def);
# endif
#endif
  /* For the agent alone: instructions, and where the interpreter itself says what it is made of. */
  group("agent");
#if SINCE(13)
  FIELD("debugState", _Py_DebugOffsets, thread_state.current_frame);
  FIELD("debugFrame", _Py_DebugOffsets, interpreter_frame.previous);
  FIELD("debugCode", _Py_DebugOffsets, code_object.filename);
#endif
  number("buildTuple", BUILD_TUPLE);
  number("buildMap", BUILD_MAP);
#ifdef BUILD_CONST_KEY_MAP
  number("buildConstKeyMap", BUILD_CONST_KEY_MAP);
#endif
#if SINCE(13)
  /* Of each instruction: its number, that of the one it specialises (or its own), and the code units of its cache. */
  group("opcodeNumbers");
  for (int i = 0; i < 256; i++)
    if (_PyOpcode_OpName[i]) number(_PyOpcode_OpName[i], i);
  group("opcodeBases");
  for (int i = 0; i < 256; i++)
    if (_PyOpcode_OpName[i]) number(_PyOpcode_OpName[i], _PyOpcode_Deopt[i]);
  group("opcodeCaches");
  for (int i = 0; i < 256; i++)
    if (_PyOpcode_OpName[i]) number(_PyOpcode_OpName[i], _PyOpcode_Caches[_PyOpcode_Deopt[i]]);
#endif
  printf("}}\n");
  return 0;
}
