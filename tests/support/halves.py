# SPDX-License-Identifier: MIT
"""Containers of `syncdemo init`, each with both parents: our own half and the one in Python."""
from tool import OUR_INIT, OUR_PARENT, PEER_PARENT, bind, contains, converse, equal, need_idmap, need_root, one_line

MAP = "0:100000:65536"
STAT = "stat -c '%u:%g %n'"


def start_containers():
    need_root("start containers")


def parents(place):
    """The two that every container is started with."""
    return ([*OUR_PARENT, "--bundle", place.bundle], PEER_PARENT)


def init(place, config):
    return [*OUR_INIT, "--bundle", place.write(config)]


def both_fine(result):
    """What the container printed, if both halves ended well and in silence."""
    child, parent = result
    equal((child.code, child.err), (0, ""))
    equal(parent, (0, "", ""))
    return child.out


def contained(place, config, wanted, **kwargs):
    """Runs the container with either parent; both must print the same."""
    command = init(place, config)
    for parent in parents(place):
        equal(both_fine(converse(command, parent, **kwargs)), wanted)


def failing(place, config, *parts, parent=None, **kwargs):
    """A container that must not come up; both halves say why."""
    child, served = converse(init(place, config), parent or [*OUR_PARENT, "--bundle", place.bundle], **kwargs)
    text = one_line(child.err)
    equal((child.code, child.out), (1, ""))
    contains(text, *parts)
    equal(served.code, 1)
    return text, served.err


def mapped_container(place):
    need_idmap(place)
    entries = [bind(place.data, "/%d" % i, "bind", "idmap", uids="0:%d:65536" % (i * 65536)) for i in (1, 2, 3)]
    return place.config("stat -c %u /1/file /2/file /3/file", entries), "65543\n131079\n196615\n"
