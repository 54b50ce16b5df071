"""The command `fibers` of gdb: the fibers of a program that uses the Rust crate fibra.

    (gdb) source fibers.py
    (gdb) fibers               all fibers: number, name, state, what each waits for, where, how long
    (gdb) fibers bt            the stacks of all fibers
    (gdb) fibers bt 3          the stack of fiber #3 (of each scheduler that has one)
    (gdb) fibers bt 2:3        the stack of fiber #3 of scheduler 2
    (gdb) fibers bt full ...   with the functions of fibra and of the language's runtime
    (gdb) fibers gcore FILE    saves a core file, with the stacks that `gcore` leaves out

It works in a live process and in a core file, and needs no debug information of the crate: the
program has a section, `fibra_fibers`, with the offsets of all fields that this script reads. Names
of functions come from the program's symbols, places in source files from its debug information.

Stacks are shown on x86-64. Elsewhere `fibers` works, and `fibers bt` shows the fibers that run.
"""

import re
import struct
import time

import gdb
from gdb.unwinder import Unwinder

MAGIC = b"fibra\0fibers\0\xf1\xbe\x75"
VERSION = 1
SECTION = "fibra_fibers"
MOST_FRAMES = 200
PAGE = 4096
# The most bytes of the stack of a generator that `fibers gcore` adds.
MOST_ABOVE = 8 << 20
# Functions that are not the program's own: `fibers bt full` shows them, too.
INTERNAL = re.compile(
    r"[<&*( ]*(mut |dyn |const )*(fibra::|corosensei::|std::panicking::|std::panic::catch_unwind"
    r"|core::ops::function::Fn|core::panic::unwind_safe::AssertUnwindSafe|__rust_try"
    r"|stack_init_trampoline|std::sys::backtrace::__rust_)")


def fail(text):
    raise gdb.GdbError(text)


class Memory:
    """Reads words, numbers and text of the inferior. All its failures are gdb.MemoryError."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        pointer = gdb.lookup_type("void").pointer()
        self.size = pointer.sizeof
        # gdb writes "currently little endian" or "The target is set to little endian".
        order = gdb.execute("show endian", to_string=True)
        self.order = "big" if "big endian" in order else "little"

    def bytes(self, address, count):
        return bytes(self.inferior.read_memory(address, count)) if count else b""

    def number(self, address, count):
        return int.from_bytes(self.bytes(address, count), self.order)

    def word(self, address):
        return self.number(address, self.size)


class Table:
    """The table of one version of the crate in the program."""

    def __init__(self, memory, address):
        self.memory = memory
        version, count = (memory.number(address + at, 4) for at in (16, 20))
        if version != VERSION:
            fail(f"this script reads version {VERSION} of fibra's table, and the program has version"
                 f" {version}: use the script of that version of fibra")
        self.first = memory.word(address + 24)
        self.facts = {}
        fact = 24 + memory.size
        raw = memory.bytes(address + 24 + memory.size, count * fact)
        unknown = (1 << 8 * memory.size) - 1
        for at in range(0, len(raw), fact):
            name = raw[at:at + 24].rstrip(b"\0").decode("ascii")
            number = int.from_bytes(raw[at + 24:at + fact], memory.order)
            self.facts[name] = None if number >= unknown - 0xffff else number

    def __getitem__(self, name):
        """Returns the fact `name`, or raises KeyError if the program does not know it."""
        number = self.facts.get(name)
        if number is None:
            raise KeyError(name)
        return number

    def knows(self, *names):
        return all(self.facts.get(name) is not None for name in names)

    def text(self, address, kind):
        """Returns the text of the `&str` or `Arc<str>` at `address`."""
        start = self.memory.word(address + self[kind + ".address"])
        length = self.memory.word(address + self[kind + ".length"])
        if start == 0:
            return None
        start += self["arc_str.text"] if kind == "arc_str" else 0
        return self.memory.bytes(start, min(length, 1000)).decode("utf-8", "replace")

    def location(self, address):
        memory = self.memory
        start = memory.word(address + self["location.file"])
        length = memory.word(address + self["location.file_length"])
        file = memory.bytes(start, min(length, 4000)).rstrip(b"\0").decode("utf-8", "replace")
        line = memory.number(address + self["location.line"], 4)
        column = memory.number(address + self["location.column"], 4)
        return f"{file}:{line}:{column}"

    def schedulers(self):
        """Returns the schedulers that run, the oldest first."""
        memory, card, found = self.memory, self.first, []
        seen = set()
        while card and card not in seen:
            seen.add(card)
            following, scheduler, thread = (memory.word(card + i * memory.size) for i in range(3))
            # After three pointers, a number of 8 bytes at its own alignment.
            at = card + (3 * memory.size + 7) // 8 * 8
            started, number = memory.number(at, 8), memory.number(at + 8, 4)
            if scheduler:
                found.append(Scheduler(self, scheduler, thread, started, number))
            card = following
        return sorted(found, key=lambda scheduler: scheduler.id)


class Scheduler:
    def __init__(self, table, address, thread, started, number):
        memory = table.memory
        self.table, self.address, self.number = table, address, number
        self.id = memory.number(address + table["scheduler.id"], 4)
        self.switches = memory.number(address + table["scheduler.switches"], 8)
        self.current = memory.word(thread + table["thread.fiber"])
        self.last_turn = memory.number(address + table["scheduler.now_ms"], 4)
        self.now, self.is_now_exact = self.last_turn, False
        if started and is_live():
            now = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - started) // 1_000_000
            # Otherwise the program runs on another machine, whose clock is not at hand.
            if 0 <= now - self.last_turn < 1 << 31:
                self.now, self.is_now_exact = now, True

    def thread(self):
        """Returns gdb's thread of the scheduler, if there is one."""
        for thread in gdb.selected_inferior().threads():
            if self.number and self.number in (thread.ptid[1], thread.ptid[2]):
                return thread
        return None

    def fibers(self):
        """Returns the fibers, the oldest first. Skips those whose memory is missing."""
        table, memory = self.table, self.table.memory
        slots = memory.word(self.address + table["scheduler.slots"])
        count = memory.word(self.address + table["scheduler.slot_count"])
        stride, value = table["slot.stride"], table["slot.value"]
        raw = memory.bytes(slots, count * stride)
        found, self.missing = [], 0
        for at in range(value, len(raw), stride):
            address = int.from_bytes(raw[at:at + memory.size], memory.order)
            if not address:
                continue
            try:
                found.append(Fiber(self, address))
            except gdb.MemoryError:
                self.missing += 1
        return sorted(found, key=lambda fiber: fiber.number)

    def title(self):
        thread = self.thread()
        where = f"thread {thread.num}" if thread else "a thread that is missing"
        if self.number:
            where += f" (LWP {self.number})"
        return f"scheduler {self.id} on {where}, {self.switches} switches"


class Fiber:
    def __init__(self, scheduler, address):
        table, memory = scheduler.table, scheduler.table.memory
        self.scheduler, self.address = scheduler, address
        self.number = memory.number(address + table["fiber.number"], 8)
        self.state = memory.number(address + table["fiber.state"], 1)
        self.is_killed = memory.number(address + table["fiber.killed"], 1) != 0
        self.since = memory.number(address + table["fiber.since"], 4)
        self.runs = address == scheduler.current
        self.name = None
        extra = memory.word(address + table["fiber.extra"])
        if extra:
            self.name = self.attempt(lambda: table.text(extra + table["extra.name"], "arc_str"))
        reason = memory.word(address + table["fiber.reason"])
        self.reason = self.attempt(lambda: table.text(reason + table["reason.text"], "str"))
        location, spawned_at = (
            memory.word(address + table["fiber." + place]) for place in ("location", "spawned_at"))
        self.location = self.attempt(lambda: table.location(location))
        self.spawned_at = self.attempt(lambda: table.location(spawned_at))
        self.parent = memory.number(address + table["fiber.parent"], 8)

    @staticmethod
    def attempt(read):
        """Returns what `read` returns, or None if the memory is missing or its layout unknown."""
        try:
            return read()
        except (gdb.MemoryError, KeyError):
            return None

    def is_in(self, *states):
        return any(self.state == self.scheduler.table["state." + state] for state in states)

    def title(self):
        return f"fiber '{self.name}' (#{self.number})" if self.name else f"fiber #{self.number}"

    def activity(self):
        if self.is_in("new"):
            return "has not run yet"
        has_waited = "" if self.location == self.spawned_at else ", last waited"
        if self.runs:
            return "runs" + has_waited
        if self.is_in("runnable"):
            return "can run" + has_waited
        if self.is_in("abandoned"):
            return "refused to end and was abandoned"
        if self.is_in("finished"):
            return "has ended; it last waited"
        return f"is {self.reason or 'waiting'}"

    def line(self):
        line = f"{self.title()} {self.activity()}"
        if self.location != self.spawned_at:
            line += f" at {self.location or '(unknown place)'}"
        if self.is_in("parked", "paused"):
            waited = (self.scheduler.now - self.since) & 0xffffffff
            about = "" if self.scheduler.is_now_exact else "at least "
            line += f" for {about}{age(waited)}"
        line += ", killed" if self.is_killed else ""
        line += f", spawned at {self.spawned_at or '(unknown place)'}"
        return line + (f" by {self.parent_title()}" if self.parent else "")

    def parent_title(self):
        """Returns the title of the fiber that has spawned it."""
        if not self.parent >> 63:
            return f"#{self.parent}"
        bits = self.scheduler.table["parent.number_bits"]
        scheduler = (self.parent & ~(1 << 63)) >> bits
        return f"#{self.parent & (1 << bits) - 1} of scheduler {scheduler}"

    def own_stack(self):
        """Returns the addresses of its own stack; None if it has none."""
        table, memory = self.scheduler.table, self.scheduler.table.memory
        if self.is_in("new", "finished"):
            return None
        top = memory.word(self.address + table["fiber.stack_top"])
        size = table["stack.smallest"] << memory.number(self.address + table["fiber.class"], 1)
        return range(top - size, top + 1) if top else None

    def pages(self):
        """Yields the pages of its own stack, and of that on which it is suspended, if that belongs
        to a generator, a greenlet or a call on a larger stack."""
        stack, memory = self.own_stack(), self.scheduler.table.memory
        if stack is None:
            return
        # The lowest pages may belong to the guard: the top of a stack is not at the end of a page.
        start, stop = (stack.start + 2 * PAGE - 1) // PAGE * PAGE, stack.stop // PAGE * PAGE + PAGE
        whole = memory.bytes(start, stop - start)
        yield from ((start + at, whole[at:at + PAGE]) for at in range(0, len(whole), PAGE))
        pointer = memory.word(self.address + self.scheduler.table["fiber.stack_pointer"])
        if self.runs or not pointer or pointer in stack:
            return
        for start in range(pointer // PAGE * PAGE, pointer + MOST_ABOVE, PAGE):
            try:
                yield start, memory.bytes(start, PAGE)
            except gdb.MemoryError:
                # The guard of the next stack.
                return

    def frames(self):
        """Returns the frames of its stack, the innermost first, as text; None without a stack."""
        table, memory = self.scheduler.table, self.scheduler.table.memory
        own = self.own_stack()
        if own is None:
            return None
        thread = self.scheduler.thread()
        if self.runs:
            if thread is None:
                return ["(its thread is missing)"]
            with Selected(thread):
                return walk(gdb.newest_frame(), own)
        if not is_x86_64():
            return ["(the stacks of suspended fibers are shown on x86-64 only)"]
        pointer = memory.word(self.address + table["fiber.stack_pointer"])
        # The switch has pushed rbp, rbx and the address at which the fiber goes on.
        goes_on, rbx, rbp = (memory.word(pointer + i * 8) for i in range(3))
        if goes_on == 0:
            raise gdb.MemoryError("the core file has zeros in its place")
        saved = {"rip": goes_on, "rbx": rbx, "rbp": rbp, "rsp": pointer + 24}
        with Selected(thread), Suspended(saved):
            frame = gdb.newest_frame()
            return walk(frame.older(), own)


def age(milliseconds):
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f}s"
    return f"{int(seconds) // 3600}h{int(seconds) // 60 % 60:02}m{int(seconds) % 60:02}s"


def is_live():
    """Returns whether gdb looks at a process, and not at a core file."""
    return "running image" in gdb.execute("info files", to_string=True)


def is_x86_64():
    name = gdb.selected_inferior().architecture().name() if hasattr(
        gdb.selected_inferior(), "architecture") else gdb.newest_frame().architecture().name()
    return name.startswith("i386:x86-64")


class Selected:
    """Selects a thread, and the one and the frame that were selected when it is left."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self.before = gdb.selected_thread()
        self.frame = gdb.selected_frame() if self.before else None
        if self.thread is not None:
            self.thread.switch()

    def __exit__(self, *_):
        if self.before is not None:
            self.before.switch()
            if self.frame is not None and self.frame.is_valid():
                self.frame.select()


class Suspended:
    """Makes the stack of a suspended fiber follow the innermost frame of the selected thread.

    No register is changed, so this works in a core file: while it is entered, an unwinder answers
    that the caller of frame 0 has the registers of the fiber.
    """

    saved = None

    def __init__(self, saved):
        self.registers = saved

    def __enter__(self):
        innermost = gdb.newest_frame()
        self.registers["innermost"] = position(innermost)
        Suspended.saved = self.registers
        gdb.invalidate_cached_frames()

    def __exit__(self, *_):
        Suspended.saved = None
        gdb.invalidate_cached_frames()


def position(frame):
    return tuple(int(frame.read_register(name)) for name in ("rip", "rsp"))


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class FiberUnwinder(Unwinder):
    def __init__(self):
        super().__init__("fibra")

    def __call__(self, pending):
        if Suspended.saved is None or position(pending) != Suspended.saved["innermost"]:
            return None
        word = gdb.lookup_type("unsigned long")
        value = lambda number: gdb.Value(number).cast(word)
        # Below the fiber's frames, as gdb expects of an inner frame.
        below = value(Suspended.saved["rsp"] - 32)
        info = pending.create_unwind_info(FrameId(below, value(0)))
        for name in ("rip", "rsp", "rbp", "rbx"):
            info.add_saved_register(name, value(Suspended.saved[name]))
        return info


gdb.unwinder.register_unwinder(None, FiberUnwinder(), replace=True)


def walk(frame, own):
    """Returns the frames from `frame` to the root of the fiber, whose own stack is `own`."""
    lines, was_own = [], False
    while frame is not None and len(lines) < MOST_FRAMES:
        pointer = int(frame.read_register("rsp" if is_x86_64() else "sp"))
        if was_own and pointer not in own:
            # This frame is the run loop's. The one before is the first code of the stack.
            lines.pop()
            return lines
        was_own = pointer in own
        lines.append(describe(frame))
        frame = frame.older()
    if len(lines) == MOST_FRAMES:
        lines.append(f"(more than {MOST_FRAMES} frames)")
    elif not was_own:
        lines.append("(the rest of the stack is missing)")
    return lines


def describe(frame):
    name = frame.name() or f"0x{frame.pc():x}"
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    place = frame.find_sal()
    if place.symtab is not None:
        return f"{name} at {place.symtab.filename}:{place.line}"
    return name


def tables():
    """Returns the tables of the program and its libraries."""
    memory, found = Memory(), []
    listed = gdb.execute("info files", to_string=True)
    for start, end in re.findall(rf"0x([0-9a-f]+) - 0x([0-9a-f]+) is {SECTION}\b", listed):
        start, end = int(start, 16), int(end, 16)
        raw = memory.bytes(start, end - start)
        at = raw.find(MAGIC)
        while at != -1:
            if at % 8 == 0:
                found.append(Table(memory, start + at))
            at = raw.find(MAGIC, at + 1)
    if not found:
        fail(f"the program has no section `{SECTION}`: it does not use fibra, or gdb was not given "
             "its executable (`file PROGRAM`)")
    return found


class Fibers(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_terminal):
        words = gdb.string_to_argv(argument)
        if gdb.selected_thread() is None:
            fail("no process: start or attach to a program, or load a core file")
        in_full = words[:2] == ["bt", "full"]
        which = words[2:] if in_full else words[1:]
        if words == []:
            self.run(False, False, None)
        elif words[0] == "gcore" and len(words) == 2:
            save_core(words[1])
        elif words[0] == "bt" and len(which) <= 1:
            self.run(True, in_full, which[0] if which else None)
        else:
            fail("usage: fibers, fibers bt [full] [NUMBER or SCHEDULER:NUMBER], fibers gcore FILE")

    @staticmethod
    def run(with_stacks, in_full, which):
        scheduler_id, number = None, None
        if which is not None:
            match = re.fullmatch(r"(?:(\d+):)?#?(\d+)", which)
            if match is None:
                fail(f"`{which}` is no fiber: use a number, or the number of a scheduler, a colon "
                     "and a number")
            scheduler_id, number = match.group(1) and int(match.group(1)), int(match.group(2))
        shown = 0
        try:
            schedulers = [it for table in tables() for it in table.schedulers()]
            for scheduler in schedulers:
                if scheduler_id not in (None, scheduler.id):
                    continue
                fibers = scheduler.fibers()
                wanted = [it for it in fibers if number in (None, it.number)]
                if number is None or wanted:
                    print(f"{scheduler.title()}, {len(fibers)} fibers:")
                for fiber in wanted:
                    shown += 1
                    print(f"  {fiber.line()}")
                    if with_stacks:
                        show_stack(fiber, in_full)
                if scheduler.missing:
                    print(f"  {scheduler.missing} fibers whose memory is missing")
        except gdb.MemoryError as error:
            fail(f"the memory of a scheduler is missing or damaged: {error}")
        except KeyError as error:
            fail(f"the program does not know {error}: no scheduler has run, or this compiler lays "
                 "out a type in a way that fibra could not measure")
        if number is not None and not shown:
            fail(f"there is no fiber {which}")
        if not schedulers:
            print("no scheduler runs")


def save_core(path):
    """Saves a core file like `generate-core-file`, which leaves out each mapping that has a page it
    cannot read, and adds the stacks of fibers to it: their guards are such pages."""
    gdb.execute(f"generate-core-file {path}")
    saved = lost = 0
    with open(path, "r+b") as core:
        segments = segments_of(core)
        for scheduler in (it for table in tables() for it in table.schedulers()):
            for fiber in scheduler.fibers():
                for start, page in fiber.pages():
                    segment = next((it for it in segments if it[0] <= start < it[1]), None)
                    if segment is None:
                        lost += 1
                    elif any(page):
                        core.seek(segment[2] + start - segment[0])
                        core.write(page)
                        saved += 1
    print(f"added {saved} pages of stacks" + (f", could not add {lost}" if lost else ""))

def segments_of(core):
    """Returns the memory in a core file of 64 bits: where each part starts and ends, and its place
    in the file."""
    header = core.read(64)
    if header[:5] != b"\x7fELF\x02":
        fail("stacks are added to core files of 64 bits only")
    order = "<" if header[5] == 1 else ">"
    start, = struct.unpack_from(order + "Q", header, 32)
    size, count = struct.unpack_from(order + "HH", header, 54)
    core.seek(start)
    raw, found = core.read(size * count), []
    for at in range(0, len(raw), size):
        kind, _, place, address, _, length = struct.unpack_from(order + "IIQQQQ", raw, at)
        if kind == 1:
            found.append((address, address + length, place))
    return found


def show_stack(fiber, in_full):
    try:
        frames = fiber.frames()
    except gdb.MemoryError as error:
        print(f"    its stack is missing: {error}. A core file of `gcore` lacks stacks with guard "
              "markers: save it by `fibers gcore FILE`")
        return
    if frames is None:
        print("    (it has no stack)")
        return
    shown = [it for it in enumerate(frames) if in_full or not INTERNAL.match(it[1])]
    for level, frame in shown:
        print(f"    #{level:<2} {frame}")
    if not shown:
        print("    (only functions of fibra: `fibers bt full` shows them)")


Fibers()
