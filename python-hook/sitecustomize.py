"""
Start-up hook of `coroner run` (docs/how-run-works.md): writes the last words of a Python process into the incident folder.
Python 2.7 and 3.6 or later. Found through PYTHONPATH, so it is absent under -E, -I and -S. Prints nothing, raises nothing, and hands
over to the `sitecustomize` that would have been imported without it.

Everything lives in closures: module globals are cleared while the interpreter shuts down, when hooks are still called.
"""


def _coroner_install(this_module):
    import os
    import sys

    folder = os.environ.get("CORONER_RUN")
    here = os.path.dirname(os.path.abspath(__file__))
    # As if we had never been there: sys.path is the program's.
    sys.path[:] = [entry for entry in sys.path if entry != here]
    if not folder or not os.path.isdir(folder):
        return

    open_file, write, close, read, getpid = os.open, os.write, os.close, os.read, os.getpid
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    read_flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
    prefix = os.path.join(folder, "python") + os.sep
    version = "%d.%d.%d" % sys.version_info[:3]
    try:
        from time import time
    except ImportError:
        time = None
    text_types = (str,) if sys.version_info[0] >= 3 else (str, type(u""))
    wanted_frames = 64
    hex_digits = "0123456789abcdef"

    def reserve():
        """
        Memory to give back before writing when there is none left: a stretch of address space (for a new arena; not touched, so it
        costs no RAM on 3.x), and whole pools of small objects.
        """
        return [bytes(2 << 20) if sys.version_info[0] >= 3 else None, [bytearray(400) for _ in range(256)]]

    state = {"reserve": reserve(), "last": 0, "module": this_module}

    def quoted(text):
        if not isinstance(text, text_types):
            text = repr(text)
        parts = ['"']
        for character in text[:2000]:
            code = ord(character)
            if character == '"' or character == "\\":
                parts.append("\\" + character)
            elif 32 <= code < 127:
                parts.append(character)
            elif code < 0x10000:
                parts.append(
                    "\\u" + hex_digits[code >> 12] + hex_digits[code >> 8 & 15] + hex_digits[code >> 4 & 15] + hex_digits[code & 15]
                )
            else:
                parts.append("?")
        parts.append('"')
        return "".join(parts)

    def frames_of(traceback):
        """JSON of the frames, innermost first."""
        depth = 0
        at = traceback
        while at is not None:
            depth += 1
            at = at.tb_next
        at = traceback
        while depth > wanted_frames:
            depth -= 1
            at = at.tb_next
        frames = []
        while at is not None:
            code = at.tb_frame.f_code
            name = getattr(code, "co_qualname", code.co_name)
            line = at.tb_lineno
            frames.append(
                '{"function":' + quoted(name) + ',"file":' + quoted(code.co_filename) + ',"line":' + ("null" if line is None else str(line)) + "}"
            )
            at = at.tb_next
        frames.reverse()
        return "[" + ",".join(frames) + "]"

    def is_memory(kind, value, depth=0):
        """MemoryError, ENOMEM, or an exception that came out of one or holds one."""
        if issubclass(kind, MemoryError):
            return True
        if isinstance(value, EnvironmentError) and value.errno == 12:
            return True
        if value is None or depth > 5:
            return False
        for inner in tuple(getattr(value, "exceptions", ()) or ())[:20]:
            if isinstance(inner, BaseException) and is_memory(type(inner), inner, depth + 1):
                return True
        cause = getattr(value, "__cause__", None)
        if cause is None and not getattr(value, "__suppress_context__", False):
            cause = getattr(value, "__context__", None)
        return cause is not None and is_memory(type(cause), cause, depth + 1)

    def facts_now():
        """What this process uses at this very moment: the reason for an ENOMEM stands in it."""
        facts = ""
        try:
            fd = open_file("/proc/self/status", read_flags)
            try:
                for line in read(fd, 4096).decode("ascii", "replace").split("\n"):
                    for field, name in (("VmSize:", "vmBytes"), ("VmRSS:", "rssBytes"), ("VmData:", "dataBytes")):
                        if line.startswith(field):
                            facts += ',"' + name + '":' + str(int(line.split()[1]) * 1024)
            finally:
                close(fd)
            fd = open_file("/proc/self/maps", read_flags)
            try:
                maps = 0
                while True:
                    chunk = read(fd, 16384)
                    if not chunk:
                        break
                    maps += chunk.count(b"\n")
                facts += ',"maps":' + str(maps)
            finally:
                close(fd)
        except Exception:
            pass
        return facts

    def append(line, suffix=".ndjson"):
        fd = open_file(prefix + str(getpid()) + suffix, flags, 0o600)
        try:
            write(fd, line.encode("ascii", "replace") if sys.version_info[0] >= 3 else line)
        finally:
            close(fd)

    def remember(fate, kind, value, traceback, thread=None):
        state["reserve"] = None
        if value is not None and state["last"] == id(value):
            return
        state["last"] = id(value)
        # First a line that needs next to nothing, then the whole one: a later line about the same exception replaces it.
        try:
            memory = is_memory(kind, value)
            module = getattr(kind, "__module__", None)
            name = getattr(kind, "__qualname__", kind.__name__)
            if module not in (None, "builtins", "exceptions", "__main__"):
                name = module + "." + name
            head = '{"what":"exception","fate":"' + fate + '","pid":' + str(getpid()) + ',"python":"' + version + '"'
            if time is not None:
                head += ',"time":' + str(round(time(), 3))
            head += ',"type":' + quoted(name) + ',"memory":' + ("1" if memory else "0")
            if isinstance(value, EnvironmentError) and isinstance(value.errno, int):
                head += ',"errno":' + str(value.errno)
            if thread:
                head += ',"thread":' + quoted(thread)
            try:
                frames = frames_of(traceback)
            except BaseException:
                frames = "[]"
            if memory:
                head += facts_now()
            try:
                message = ',"message":' + quoted(str(value))
            except BaseException:
                message = ""
            append(head + message + ',"stack":' + frames + "}\n")
        except BaseException:
            try:
                append('{"what":"exception","fate":"' + fate + '","type":"' + kind.__name__ + '","stack":[]}\n')
            except BaseException:
                pass

    # The main thread. Both names: who asks `sys.excepthook is sys.__excepthook__` must hear yes, who calls the latter reaches us.
    previous = sys.excepthook
    original = sys.__excepthook__

    def hook_around(called):
        def excepthook(kind, value, traceback):
            remember("uncaught", kind, value, traceback)
            return called(kind, value, traceback)

        return excepthook

    sys.__excepthook__ = hook_around(original)
    sys.excepthook = sys.__excepthook__ if previous is original else hook_around(previous)

    # Exceptions that nobody can catch: __del__, callbacks, atexit (3.8).
    if hasattr(sys, "unraisablehook"):
        unraisable = sys.__unraisablehook__

        def unraisablehook(args):
            try:
                if is_memory(args.exc_type, args.exc_value):
                    remember("ignored", args.exc_type, args.exc_value, args.exc_traceback)
            except BaseException:
                pass
            return unraisable(args)

        if sys.unraisablehook is unraisable:
            sys.unraisablehook = unraisablehook
        sys.__unraisablehook__ = unraisablehook

    # Threads, without importing threading: it takes its hook from _thread when it is imported (3.8).
    try:
        import _thread
    except ImportError:
        import thread as _thread
    in_thread = getattr(_thread, "_excepthook", None)
    if in_thread is not None:

        def thread_excepthook(args):
            try:
                if args.exc_type is not SystemExit:
                    name = None if args.thread is None else args.thread.name
                    remember("thread", args.exc_type, args.exc_value, args.exc_traceback, name)
            except BaseException:
                pass
            return in_thread(args)

        _thread._excepthook = thread_excepthook
        threading = sys.modules.get("threading")
        if threading is not None and getattr(threading, "excepthook", None) is in_thread:
            threading.excepthook = thread_excepthook
            if hasattr(threading, "__excepthook__"):
                threading.__excepthook__ = thread_excepthook
    else:
        # Up to 3.7 a thread formats its exception itself: be there when it does.
        def patch(threading):
            format_exc = getattr(threading, "_format_exc", None)
            if format_exc is None:
                return

            def remembering_format_exc(*args, **kwargs):
                try:
                    kind, value, traceback = sys.exc_info()
                    remember("thread", kind, value, traceback, threading.current_thread().name)
                except BaseException:
                    pass
                return format_exc(*args, **kwargs)

            threading._format_exc = remembering_format_exc

        class Finder(object):
            def find_module(self, name, path=None):
                if name != "threading":
                    return None
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                return self

            def load_module(self, name):
                module = __import__(name)
                try:
                    patch(module)
                except Exception:
                    pass
                return module

        if "threading" in sys.modules:
            patch(sys.modules["threading"])
        else:
            sys.meta_path.insert(0, Finder())

    def note_cells():
        """
        A notebook's kernel compiles each cell under a file that nobody knows it by; its number stands in the shell at that moment. The
        audit hook stays for good, so it is there in kernels alone.
        """
        fd = open_file("/proc/self/cmdline", read_flags)
        try:
            if b"ipykernel" not in read(fd, 4096):
                return
        finally:
            close(fd)
        noted = {}

        def audit(event, args):
            if event != "compile":
                return
            try:
                name = args[1]
                if isinstance(name, bytes):
                    name = name.decode("utf-8", "replace")
                if "ipykernel_" not in name:
                    return
                shell = sys.modules["IPython.core.interactiveshell"].InteractiveShell._instance
                number = int(shell.execution_count)
                if noted.get(name) != number:
                    noted[name] = number
                    append('{"file":' + quoted(name) + ',"number":' + str(number) + "}\n", ".cells.ndjson")
            except Exception:
                pass

        sys.addaudithook(audit)

    if hasattr(sys, "addaudithook"):
        try:
            note_cells()
        except Exception:
            pass

    # The Python stack at a segfault or abort. Not where the program has asked for it itself: its dump goes where it wants it.
    try:
        import faulthandler
    except ImportError:
        return
    if faulthandler.is_enabled():
        return

    def open_high():
        """
        The dump's descriptor stays open. High up, out of the way of programs that count on the next free number, and where
        a number is hardly given away again after a daemon has closed them all.
        """
        fd = open_file(prefix + str(getpid()) + ".fault", flags, 0o600)
        try:
            for high in (1000, 500, 250):
                try:
                    os.fstat(high)
                except OSError:
                    try:
                        os.dup2(fd, high, inheritable=False)
                        return high
                    except OSError:
                        pass
        finally:
            close(fd)
        return None

    try:
        descriptor = open_high()
    except OSError:
        return
    if descriptor is None:
        return
    faulthandler.enable(file=descriptor, all_threads=True)

    def after_fork():
        # A forked worker's dump is its own.
        try:
            fd = open_file(prefix + str(getpid()) + ".fault", flags, 0o600)
            try:
                os.dup2(fd, descriptor, inheritable=False)
            finally:
                close(fd)
        except OSError:
            pass

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)


def _coroner_start():
    import sys

    this_module = sys.modules[__name__]
    try:
        import os

        here = os.path.dirname(os.path.abspath(__file__))
        path = sys.path[:]
        sys.path[:] = [entry for entry in path if entry != here]
        del sys.modules[__name__]
        try:
            # The one that we stand before. What it raises is its own affair, as it would be without us.
            __import__("sitecustomize")
        except ImportError:
            error = sys.exc_info()[1]
            name = getattr(error, "name", None)
            if name is None:
                name = str(error).split(" ")[-1]
            if name.strip("'") != "sitecustomize":
                raise
        finally:
            if "sitecustomize" not in sys.modules:
                sys.modules["sitecustomize"] = this_module
    finally:
        try:
            _coroner_install(this_module)
        except Exception:
            pass


_coroner_start()
