// SPDX-License-Identifier: MIT
//
// The library from C++17: objects that close themselves, errors as exceptions, callbacks as lambdas.
//
// The wrappers are the first half of this file and may be taken as they are. Two things need care in C++. No exception may
// leave a callback, since C code called it. And a forked child must neither return nor throw past its entry function: it
// would run the destructors of objects that belong to the runtime.
#include "scratch.h"

#include <initsync.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>

namespace initsync {

class Fd {
public:
        explicit Fd(int fd = -1) noexcept : fd_(fd) {}
        Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
        Fd &operator=(Fd other) noexcept {
                std::swap(fd_, other.fd_);
                return *this;
        }
        ~Fd() {
                if (fd_ >= 0)
                        close(fd_);
        }
        int get() const noexcept { return fd_; }
        int release() noexcept { return std::exchange(fd_, -1); }       // for arguments that the library consumes

private:
        int fd_;
};

// What struct initsync_error says, as an exception: the code for programs, one line for people.
class Error : public std::runtime_error {
public:
        explicit Error(const initsync_error &error) : std::runtime_error(error.text), error_(error) {}
        const initsync_error &details() const noexcept { return error_; }

private:
        initsync_error error_;
};

// check([&](initsync_error *e) { return initsync_...(..., e); })
template <typename Call> void check(Call call) {
        initsync_error error{};

        if (call(&error) < 0)
                throw Error(error);
}

struct Mount : initsync_mount {
        Mount(const char *from, const char *to) : initsync_mount INITSYNC_MOUNT_INIT {
                source = from;
                destination = to;
        }
};

class Parent {
public:
        using Hooks = std::function<void()>;

        Parent(Fd socket, const Fd &pidfd, const std::vector<initsync_mount> &mounts, Hooks hooks)
                : hooks_(std::make_unique<Hooks>(std::move(hooks))) {
                initsync_parent_options options{};
                initsync_parent *parent = nullptr;

                options.size = sizeof(options);
                options.mounts = mounts.data();
                options.n_mounts = mounts.size();
                options.hooks = call_hooks;
                options.userdata = hooks_.get();        // on the heap: this object may be moved
                check([&](initsync_error *e) {
                        return initsync_parent_new(&parent, socket.release(), pidfd.get(), &options, e);
                });
                parent_.reset(parent);
        }
        void run() {
                check([&](initsync_error *e) { return initsync_parent_run(parent_.get(), e); });
        }

private:
        static int call_hooks(void *userdata, initsync_error *reterr) noexcept
        try {
                (*static_cast<Hooks *>(userdata))();
                return 0;
        } catch (const std::exception &e) {
                std::snprintf(reterr->text, sizeof(reterr->text), "%s", e.what());
                return -EIO;
        } catch (...) {
                return -EIO;
        }

        struct Free {
                void operator()(initsync_parent *parent) const noexcept { initsync_parent_free(parent); }
        };
        std::unique_ptr<Hooks> hooks_;                  // declared first: it must outlive the parent
        std::unique_ptr<initsync_parent, Free> parent_;
};

class Child {
public:
        explicit Child(Fd socket) {
                initsync_child *child = nullptr;

                check([&](initsync_error *e) { return initsync_child_new(&child, socket.release(), nullptr, e); });
                child_.reset(child);
        }
        std::vector<Fd> mounts(const std::vector<initsync_mount> &wanted) {
                std::vector<int> fds(wanted.size(), -1);
                std::vector<Fd> owned;

                owned.reserve(wanted.size());           // now, so that nothing can throw while the descriptors are bare
                check([&](initsync_error *e) {
                        return initsync_child_mounts(child_.get(), wanted.data(), wanted.size(), fds.data(), e);
                });
                for (int fd : fds)
                        owned.emplace_back(fd);
                return owned;
        }
        void hooks() {
                check([&](initsync_error *e) { return initsync_child_hooks(child_.get(), e); });
        }
        void ready() {
                check([&](initsync_error *e) { return initsync_child_ready(child_.get(), e); });
        }
        void fail(const std::exception &why) noexcept {
                initsync_error error = INITSYNC_ERROR_INIT;

                error.code = -EIO;
                std::snprintf(error.text, sizeof(error.text), "%s", why.what());
                initsync_child_fail(child_.get(), &error);
        }

private:
        struct Free {
                void operator()(initsync_child *child) const noexcept { initsync_child_free(child); }
        };
        std::unique_ptr<initsync_child, Free> child_;
};

} // namespace initsync

#ifndef MOUNT_ATTR_RDONLY               // <sys/mount.h> has them since glibc 2.36
#define MOUNT_ATTR_RDONLY 0x00000001
#define MOUNT_ATTR_NOSUID 0x00000002
#endif

namespace {

// Both sides know what the container mounts: the runtime as its allow-list, the child as its requests.
std::vector<initsync_mount> container_mounts() {
        initsync::Mount data("/mnt/volume", "/mnt/rootfs/data"), secrets("/mnt/secrets", "/mnt/rootfs/secrets");

        secrets.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
        return {data, secrets};
}

void set_up(initsync::Child &child) {
        const auto mounts = container_mounts();
        const auto sources = child.mounts(mounts);      // sent at once, answered in order

        for (std::size_t i = 0; i < mounts.size(); i++) {
                initsync::Fd target(open(mounts[i].destination, O_PATH | O_DIRECTORY | O_CLOEXEC));

                initsync::check([&](initsync_error *e) { return initsync_attach(sources[i].get(), target.get(), e); });
        }
        child.hooks();
        child.ready();
        execl("/bin/true", "true", static_cast<char *>(nullptr));
        throw std::system_error(errno, std::generic_category(), "execve(/bin/true)");
}

[[noreturn]] void child_main(int socket_fd) noexcept {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        initsync_child_only(&socket_fd, 1);
        try {
                initsync::Child child{initsync::Fd(socket_fd)};

                try {
                        set_up(child);
                } catch (const std::exception &e) {
                        child.fail(e);
                }
        } catch (const std::exception &e) {
                std::fprintf(stderr, "cxx: child: %s\n", e.what());
        }
        _exit(1);
}

// Runs one container and returns its wait status.
int run(const initsync::Parent::Hooks &hooks) {
        int parent_fd, child_fd, pidfd_number, status = -1;
        int r = initsync_pair(&parent_fd, &child_fd);

        if (r < 0)
                throw std::system_error(-r, std::generic_category(), "initsync_pair");
        initsync::Fd ours(parent_fd), theirs(child_fd);
        pid_t pid = scratch_clone(CLONE_NEWNS, &pidfd_number);
        if (pid < 0)
                throw std::system_error(errno, std::generic_category(), "clone3");
        if (pid == 0)
                child_main(theirs.get());
        initsync::Fd pidfd(pidfd_number);
        theirs = initsync::Fd();                        // or end-of-file would never be seen

        try {
                initsync::Parent(std::move(ours), pidfd, container_mounts(), hooks).run();
        } catch (...) {
                waitpid(pid, &status, 0);               // the library has killed it already
                throw;
        }
        waitpid(pid, &status, 0);
        return status;
}

} // namespace

int main()
try {
        scratch_host("cxx");
        for (const char *path : {"/mnt/secrets", "/mnt/rootfs/data", "/mnt/rootfs/secrets"})
                if (mkdir(path, 0755) < 0)
                        throw std::system_error(errno, std::generic_category(), path);

        int calls = 0;
        if (run([&] { calls++; }) != 0 || calls != 1)
                throw std::runtime_error("the container did not end well");

        // An exception of a hook ends that container, reaches its child as text, and comes back out of run() as an Error.
        std::string told;
        try {
                run([] { throw std::runtime_error("this hook throws"); });
        } catch (const initsync::Error &e) {
                told = e.details().text;
        }
        if (told.find("this hook throws") == std::string::npos)
                throw std::runtime_error("the hook's exception got lost: " + told);

        std::printf("cxx: two mounts at once, hooks as a lambda, /bin/true done; and: %s\n", told.c_str());
        return 0;
} catch (const std::exception &e) {
        std::fprintf(stderr, "cxx: %s\n", e.what());
        return 1;
}
