/* The standalone file: pyinit, with the interpreter that runs it, for images that have no Python.

   `pyinitctl build --standalone` writes modules.h, the byte code of pyinit's modules, and links this with the
   interpreter's static library. What happens, in order: main blocks every signal, starts the interpreter without
   letting anything of the outside reach it, and runs pyinit/loader.py, which finds here what it needs: the signal mask
   as it was, and the system calls that the standard library lacks. */
#define _GNU_SOURCE
#include <Python.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if PY_VERSION_HEX < 0x030b0000 /* a package has a negative size there */
#define MODULE(name, code, is_package) {name, code, is_package ? -(int)sizeof code : (int)sizeof code}
#else
#define MODULE(name, code, is_package) {name, code, (int)sizeof code, is_package}
#endif
#include "modules.h"

static sigset_t found;  /* which signals were blocked when we were started */
static int set_user_id; /* whether the bit of our file has made us root: nobody is to be trusted then */

/* call(NAME, ...): a system call with up to five numbers or bytes. Returns what it returns, -1 if it is refused. */
static PyObject *call(PyObject *self, PyObject *arguments)
{
    static const struct { const char *name; long number; } calls[] = {
        {"prctl", SYS_prctl}, {"capset", SYS_capset}, {"fchownat", SYS_fchownat}, {0}};
    const char *name = PyUnicode_AsUTF8(PyTuple_GetItem(arguments, 0));
    long given[5] = {0};
    size_t which = 0;

    for (Py_ssize_t i = 1; i < PyTuple_Size(arguments) && i <= 5; i++) {
        PyObject *argument = PyTuple_GetItem(arguments, i);
        given[i - 1] = PyBytes_Check(argument) ? (long)PyBytes_AsString(argument) : (long)PyLong_AsUnsignedLongMask(argument);
    }
    if (PyErr_Occurred())
        return NULL;
    while (calls[which].name && strcmp(calls[which].name, name))
        which++;
    if (!calls[which].name)
        return PyErr_Format(PyExc_ValueError, "no such call: %s", name);
    return PyLong_FromLong(syscall(calls[which].number, given[0], given[1], given[2], given[3], given[4]));
}

/* ioctl(DESCRIPTOR, REQUEST) of those that take a number, which is 0. Raises OSError. */
static PyObject *ioctl_0(PyObject *self, PyObject *arguments)
{
    int descriptor, request;

    if (!PyArg_ParseTuple(arguments, "ii", &descriptor, &request))
        return NULL;
    if (ioctl(descriptor, request, 0) == -1)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* has_room(DESCRIPTOR): whether a write would not block now. */
static PyObject *has_room(PyObject *self, PyObject *descriptor)
{
    struct pollfd asked = {.fd = (int)PyLong_AsLong(descriptor), .events = POLLOUT};

    return PyErr_Occurred() ? NULL : PyBool_FromLong(poll(&asked, 1, 0) > 0);
}

/* What the module `resource` makes of it, which is not in the library: all of it, in the same order. */
static PyObject *usage(const struct rusage *of)
{
    return Py_BuildValue("(ddllllllllllllll)", of->ru_utime.tv_sec + of->ru_utime.tv_usec * 1e-6,
                         of->ru_stime.tv_sec + of->ru_stime.tv_usec * 1e-6, of->ru_maxrss, of->ru_ixrss, of->ru_idrss,
                         of->ru_isrss, of->ru_minflt, of->ru_majflt, of->ru_nswap, of->ru_inblock, of->ru_oublock,
                         of->ru_msgsnd, of->ru_msgrcv, of->ru_nsignals, of->ru_nvcsw, of->ru_nivcsw);
}

/* own_usage(): what this process has cost. */
static PyObject *own_usage(PyObject *self, PyObject *nothing)
{
    struct rusage own = {0};

    getrusage(RUSAGE_SELF, &own);
    return usage(&own);
}

/* wait4(PID, OPTIONS): the pid, the status, and what it has cost. Raises OSError. */
static PyObject *wait_4(PyObject *self, PyObject *arguments)
{
    int pid, options, status = 0;
    struct rusage cost = {0};

    if (!PyArg_ParseTuple(arguments, "ii", &pid, &options))
        return NULL;
    pid = wait4(pid, &status, options, &cost);
    if (pid == -1)
        return PyErr_SetFromErrno(PyExc_OSError);
    return Py_BuildValue("iiN", pid, status, usage(&cost));
}

static PyObject *init_pyinit(void)
{
    static PyMethodDef methods[] = {
        {"call", call, METH_VARARGS, NULL},
        {"ioctl", ioctl_0, METH_VARARGS, NULL},
        {"has_room", has_room, METH_O, NULL},
        {"own_usage", own_usage, METH_NOARGS, NULL},
        {"wait4", wait_4, METH_VARARGS, NULL},
        {0}};
    static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_pyinit", NULL, -1, methods};
    PyObject *module = PyModule_Create(&definition), *mask = PySet_New(NULL);

    if (!module || !mask)
        return NULL;
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&found, number) == 1) {
            PyObject *signal = PyLong_FromLong(number);
            if (PySet_Add(mask, signal) < 0)
                return NULL;
            Py_DECREF(signal);
        }
    PyModule_AddObject(module, "mask", mask);
    PyModule_AddIntMacro(module, set_user_id);
    PyModule_AddIntMacro(module, TIOCNOTTY);
    PyModule_AddIntMacro(module, TIOCSCTTY);
    return module;
}

/* The frozen modules, in the place of the library's own tables, which would bring in all that they name; in 3.11 and 3.12
   as objects that are made ready at each start, which is a fifth of it, with 780 kB of memory. */
#if PY_VERSION_HEX < 0x030b0000
const struct _frozen *PyImport_FrozenModules = modules;
#else
static const struct _frozen no_modules[] = {{0}};
static const struct _module_alias { const char *name, *original; } no_aliases[] = {{0}};
const struct _frozen *PyImport_FrozenModules = NULL, *_PyImport_FrozenBootstrap = modules;
const struct _frozen *_PyImport_FrozenStdlib = no_modules, *_PyImport_FrozenTest = no_modules;
const struct _module_alias *_PyImport_FrozenAliases = no_aliases;
int _Py_Deepfreeze_Init(void) { return 0; }
void _Py_Deepfreeze_Fini(void) {}
#if PY_VERSION_HEX < 0x030d0000 && PY_VERSION_HEX >= 0x030c0000
uint32_t _Py_next_func_version = 1;
#endif
#endif

/* The built-in modules, likewise. */
PyObject *PyMarshal_Init(void), *PyInit__imp(void), *_PyWarnings_Init(void);
#define BUILT_IN(name) PyObject *PyInit_##name(void);
#include "built_in.h"
#undef BUILT_IN
#define BUILT_IN(name) {#name, PyInit_##name},
struct _inittab _PyImport_Inittab[] = {
    {"_pyinit", init_pyinit}, {"_imp", PyInit__imp}, {"_warnings", _PyWarnings_Init}, {"builtins", NULL},
    {"marshal", PyMarshal_Init}, {"sys", NULL},
#include "built_in.h"
    {0}};

static void refuse(const char *why, const char *reason)
{
    dprintf(2, "pyinit: %s%s\n", why, reason);
    _exit(1);
}

/* The interpreter's memory. Where there is none it may try for ever to raise MemoryError, since a handler of an exception
   takes a little in its turn (3.11 and newer), and what it starts with it lets be NULL. So until it has started, that is
   the end; then the first time brings it some that was laid aside, untouched, for the handlers. */
static void *laid_aside;
static int has_started;

static void *checked(void *block)
{
    if (!block && !has_started)
        refuse("no memory", "");
    if (!block) {
        free(laid_aside);
        laid_aside = NULL;
    }
    return block;
}

static void *new_block(void *context, size_t size) { return checked(malloc(size ? size : 1)); }
static void *new_blocks(void *context, size_t count, size_t size) { return checked(calloc(count ? count : 1, size ? size : 1)); }
static void *resized(void *context, void *block, size_t size) { return checked(realloc(block, size ? size : 1)); }
static void let_go(void *context, void *block) { free(block); }

/* Root by our file's bit, for whoever started us, who may be hostile: as docker/launcher/launcher.c, which says why. */
static void trust_nobody(int count, char **words)
{
    struct rlimit file_size;
    size_t entries = 0;

    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1 && open("/dev/null", O_RDWR) != descriptor)
            _exit(1);
    if (geteuid() != 0)
        refuse("the set-user-ID bit is for a file that is root's: chown root:root, chmod 4755", "");
    if (getrlimit(RLIMIT_FSIZE, &file_size) != 0 || file_size.rlim_cur != RLIM_INFINITY)
        refuse("the size of files is limited, which might cut off the account files: ulimit -f unlimited", "");
    if (count < 1)
        refuse("started without a name", "");
    while (environ[entries])
        entries++;
    char **variables = calloc(entries + 1, sizeof *variables);
    if (!variables)
        refuse("no memory", "");
    for (size_t i = 0; i < entries; i++)
        if (asprintf(&variables[i], ".%s", environ[i]) < 0)
            refuse("no memory", "");
    environ = variables;
    set_user_id = 1;
}

/* The bit is there, and has had no effect. */
static void check_bit(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);
    struct stat status;

    if (getuid() != 0 && path && stat(path, &status) == 0 && status.st_mode & S_ISUID)
        refuse("not running as root, so the user's IDs cannot be changed. Four things to check:\n"
               "  - this file is owned by root: chown root:root\n"
               "  - it has the set-user-ID bit: chmod 4755\n"
               "  - the container runs without no-new-privileges (--security-opt; allowPrivilegeEscalation)\n"
               "  - this file is not on a mount with the option nosuid", "");
    if (getegid() != getgid())
        refuse("the set-group-ID bit gives nothing that root does not have: chmod 4755", "");
}

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        refuse("cannot start the interpreter: ", status.err_msg ? status.err_msg : "it does not say why");
}

/* The core of the interpreter and no more (PEP 587, multi-phase initialization): built-in and frozen modules. No `site`,
   no search path, no standard streams, no handler of a signal: nothing is looked for, and nothing can be found. UTF-8
   holds every byte, so the locale does not count either.
   The environment is empty meanwhile, but for a time zone of no name, since `time` has /etc/localtime read otherwise. */
static void start_interpreter(int count, char **words)
{
    static PyMemAllocatorEx memory = {NULL, new_block, new_blocks, resized, let_go};
    char *nothing[] = {"TZ=:", NULL}, **given = environ;
    PyPreConfig before;
    PyConfig config;

    PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &memory);
    environ = nothing;
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    check(Py_PreInitialize(&before));
    PyConfig_InitIsolatedConfig(&config);
    config._init_main = 0;
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    /* Two things that the rest would have done. They are the interpreter's own, but no version from 3.9 on lacks them. */
    int _PySignal_Init(int);
    _PySignal_Init(0);
#if PY_VERSION_HEX >= 0x030d0000
    PyStatus _PyCodec_InitRegistry(PyInterpreterState *);
    check(_PyCodec_InitRegistry(PyInterpreterState_Get()));
#endif
    PyObject *argv = PyList_New(count);
    for (int i = 0; i < count; i++)
        PyList_SetItem(argv, i, PyUnicode_DecodeUTF8(words[i], (Py_ssize_t)strlen(words[i]), "surrogateescape"));
    PySys_SetObject("argv", argv);
    PySys_SetObject("warnoptions", PyList_New(0)); /* which `warnings` wants, and that is what TOML brings in */
    Py_XDECREF(PyImport_ImportModule("time"));
    environ = given;
    laid_aside = checked(malloc(1 << 16));
    has_started = 1;
}

int main(int count, char **words)
{
    sigset_t every;

    sigfillset(&every);
    sigprocmask(SIG_BLOCK, &every, &found);
    signal(SIGPIPE, SIG_IGN); /* as Python does it, so that writing is an error */
    signal(SIGXFSZ, SIG_IGN);
    geteuid() != getuid() ? trust_nobody(count, words) : check_bit();
    start_interpreter(count, words);
    if (PyImport_AddModule("__main__"))
        PyImport_ImportFrozenModule("__main__"); /* pyinit/loader.py, which does not come back */
    refuse("cannot load: no memory", "");
}
