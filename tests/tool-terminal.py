# SPDX-License-Identifier: MIT
"""`syncdemo run` with process.terminal: somebody at a terminal, and a container in the foreground of it. Prints TAP."""
import json
import os
import signal
import sys
import termios
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import container
import tap
import tool
from terminal import command, configuration, modes, output, refuses, set_size, shown, terminal
from tool import contains, equal, need_root, ok

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")


def written_by_others(place):
    """bundles exactly as `runc spec` and `crun spec` write them give a shell, with job control"""
    need_root("start containers")
    container.fill(place)
    for name in ("crun-v1", "crun-v2", "runc-v1", "runc-v2"):
        with open(os.path.join(BUNDLES, name + ".json"), encoding="utf-8") as file:
            config = json.load(file)
        equal((config["process"]["terminal"], config["process"]["args"]), (True, ["sh"]))
        with shown(place, config) as here:
            contains(here.expect("/ # "), "cgroups are not managed\r\n")
            here.type("echo $((6 * 7)) $(tty) $(stat -c %t:%T:%u:%g:%a /dev/console)\r")
            text = here.expect("42 ", "/ # ")
            contains(text, "42 /dev/pts/0 88:0:0:5:620\r\n")
            here.type("ls -l /proc/self/fd; stty size; hostname\r")
            text = here.expect("24 80", config["hostname"], "/ # ")
            equal([fd for fd in range(3) if "%d -> /dev/pts/0\r\n" % fd in text], [0, 1, 2])
            here.type("sleep 100\r")
            here.expect("sleep 100")
            time.sleep(0.2)
            here.type("\x1a")
            here.expect("Stopped", "/ # ")
            here.type("jobs\r")
            here.expect("[1]+  Stopped", "sleep 100", "/ # ")
            here.type("fg\r")
            here.expect("sleep 100")
            time.sleep(0.2)
            here.type("\x03")
            here.expect("/ # ")
            ok(here.raw() and here.process.poll() is None, "^C went to run")
            here.type("exit 3\r")
            equal(here.wait(), 3)
            contains(here.rest(), "exit 3")
            here.restored()


def no_warning(place):
    """the shell has a controlling terminal, in a session of its own"""
    text = output(place, "sh -i -c 'echo $0'; ps -o pid,pgid,sid,tty,args; echo direct >/dev/tty")
    ok("can't access tty" not in text, text)
    contains(text, "direct\n")
    line = next(line for line in text.splitlines() if "sh -c" in line)
    equal(line.split()[:4], ["1", "1", "1", "136,0"])


def exit_status(place):
    """its exit status, and 128 + n for a signal, as without a terminal"""
    equal(output(place, "exit 7", 7), "")
    config = configuration(place, "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done")
    for number, status in ((signal.SIGUSR1, 9), (signal.SIGKILL, 137)):
        with shown(place, config) as here:
            here.expect("ready")
            if number == signal.SIGKILL:
                with open("/proc/%d/task/%d/children" % (here.process.pid, here.process.pid), encoding="ascii") as file:
                    os.kill(int(file.read().split()[0]), number)
            else:
                os.kill(here.process.pid, number)
            equal(here.wait(), status)
            here.restored()


def window(place):
    """the size is the terminal's and follows it; consoleSize counts where that has none"""
    script = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done"
    with terminal(50, 132) as here:
        config = configuration(place, script, consoleSize={"height": 10, "width": 20})
        here.start(command(place, config))
        here.expect("50 132", "ready")
        for rows, columns in ((20, 30), (3, 999)):
            set_size(here.user, rows, columns)
            here.expect("%d %d" % (rows, columns))
        here.process.kill()
    for wanted, process in (("10 20", {"consoleSize": {"height": 10, "width": 20}}),
                            ("300 2", {"consoleSize": {"height": 300, "width": 2}})):
        with terminal(0, 0) as here:
            here.start(command(place, configuration(place, "stty size", **process)))
            here.expect(wanted)
            equal(here.wait(), 0)


def signals_typed(place):
    """^C, ^\\ and ^Z are the container's; run is not touched"""
    script = "trap 'echo got INT' INT; trap 'echo got QUIT' QUIT; echo ready; while :; do read line && echo line $line; done"
    with shown(place, configuration(place, script)) as here:
        here.expect("ready")
        here.wait_raw()
        for key, text in (("\x03", "got INT"), ("\x1c", "got QUIT"), ("a\x7fb\r", "line b")):
            here.type(key)
            here.expect(text)
        equal(here.process.poll(), None)


def restored(place):
    """the terminal's modes come back: after a failure to start, SIGTERM, SIGHUP, and SIGKILL of run"""
    config = configuration(place, "trap 'exit 5' TERM HUP; echo ready; while :; do sleep 0.05; done")
    for number, status in ((signal.SIGTERM, 5), (signal.SIGHUP, 5), (signal.SIGKILL, -9), (signal.SIGABRT, -6)):
        with shown(place, config) as here:
            here.expect("ready")
            here.wait_raw()
            os.kill(here.process.pid, number)
            equal(here.wait(), status)
            here.restored()
    config["process"]["args"] = ["/bin/none"]
    refuses(place, config, "config.json: process.args[0]: /bin/none: execve: No such file")


def others_modes(place):
    """when run is killed, modes that somebody has set meanwhile are left alone"""
    with shown(place, configuration(place, "echo ready; sleep 30")) as here:
        here.expect("ready")
        here.wait_raw()
        state = termios.tcgetattr(here.tty)
        state[3] |= termios.ECHO
        os.kill(here.process.pid, signal.SIGSTOP)
        termios.tcsetattr(here.tty, termios.TCSANOW, state)
        wanted = modes(here.tty)
        here.process.kill()
        here.wait()
        time.sleep(0.3)
        equal(modes(here.tty), wanted)


def hung_up(place):
    """when the terminal goes, the container's is hung up: one that ignores SIGHUP reads the end"""
    script = "trap '' HUP; echo ready; cat; echo $? >/end; exit 4"
    with shown(place, configuration(place, script)) as here:
        here.expect("ready")
        here.wait_raw()
        here.hang_up()
        equal(here.process.wait(tool.TIMEOUT), 4)
    ok(os.path.exists(place.rootfs + "/end"), "killed")


# ---- jobs of a shell ---------------------------------------------------------------

def stopped(place):
    """SIGTSTP stops run, with the terminal restored; continued, it is raw again, also after SIGSTOP"""
    with terminal() as here:
        pid = here.start_job(command(place, configuration(place, "echo ready; while read x; do echo got $x; done")), "fg")
        here.expect("ready")
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            here.wait_raw()
            os.kill(pid, number)
            status = here.job("wt")
            ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == number, "status %x" % status)
            if number == signal.SIGTSTP:
                here.restored()
            else:
                state = termios.tcgetattr(here.tty)
                state[:4], state[6] = here.before
                termios.tcsetattr(here.tty, termios.TCSANOW, state)     # as a shell does
            here.job("bg")
            here.job("fg")
            os.kill(pid, signal.SIGCONT)
            here.wait_raw()
            here.type("again\r")
            here.expect("got again")
        here.type("\x04")
        equal(here.job("wt"), 0)
        here.restored()


def taken_away(place):
    """somebody else in the foreground: run ends, and is not stopped when it restores the terminal"""
    with terminal() as here:
        config = configuration(place, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        pid = here.start_job(command(place, config), "fg")
        here.expect("ready")
        here.wait_raw()
        here.job("bg")
        os.kill(pid, signal.SIGTERM)
        status = here.job("wt")
        ok(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 3, "status %x" % status)
        here.restored()


def background(place):
    """in the background the terminal is neither set nor read, and output is shown; in the foreground it goes on"""
    with terminal() as here:
        pid = here.start_job(command(place, configuration(place, "echo ready; while read x; do echo got $x; done")), "bg")
        here.expect("ready")
        equal(modes(here.tty), here.before)
        here.type("not for it\n")
        time.sleep(0.7)
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            contains("SR", file.read().rpartition(")")[2].split()[0])
        equal(os.read(here.tty, 100), b"not for it\n")
        here.job("fg")          # and no SIGCONT
        here.wait_raw()
        here.rest()
        here.type("for it\r")
        here.expect("got for it")
        here.type("\x04")
        equal(here.job("wt"), 0)
        here.restored()


def gone(place):
    """in the background, too, it is seen when the terminal goes"""
    with terminal() as here:
        here.start_job(command(place, configuration(place, "trap '' HUP; echo ready; cat; exit 4")), "bg")
        here.expect("ready")
        here.hang_up()
        equal(os.waitstatus_to_exitcode(here.job("wt")), 4)


def not_a_terminal(place):
    """without a terminal and a console socket, nothing is started"""
    config = configuration(place, "touch /started")
    result = tool.run("run", "--bundle", place.write(config), "test")
    equal((result.code, result.out), (1, ""))
    contains(tool.one_line(result.err), "config.json: process.terminal: true: standard input is no terminal")
    ok(not os.path.exists(place.rootfs + "/started"), "it was started")


TESTS = [written_by_others, no_warning, exit_status, window, signals_typed, restored, others_modes, hung_up, stopped,
         taken_away, background, gone, not_a_terminal]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
