/* A simulated libnvidia-ml.so.1: GPUs that play power curves on CLOCK_MONOTONIC. No driver, no GPU.

   What is simulated stands in $ORCHESTRATE_SIMULATED_GPU/gpus.conf; docs/how-to/simulate-a-gpu.md says what may stand
   there, and settings.py beside this file writes it. Every answer is a pure function of that file and of the clock, so
   all processes and containers of a machine see the same GPUs on the same timeline. Where NVIDIA_VISIBLE_DEVICES names
   some of their UUIDs, only those are seen, counted from 0, as in a container that NVIDIA's runtime started.

   Layouts, numbers and names are those of NVIDIA's published NVML interface. What is not here, pynvml reports as
   "function not found". Built on a host and used inside containers with an older C library: nothing here may need a
   symbol newer than GLIBC_2.17 (no fmod, stat or pthread). */

#define _POSIX_C_SOURCE 200809L

#include <locale.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VARIABLE "ORCHESTRATE_SIMULATED_GPU"
#define VISIBLE_VARIABLE "NVIDIA_VISIBLE_DEVICES"
#define DRIVER_VERSION "999.0-simulated"
#define CUDA_VERSION 12080
#define NAME_PREFIX "Simulated "
#define LOWEST_LIMIT_W 100.0
#define HIGHEST_SM_CLOCK_MHZ 1980.0
#define HIGHEST_MEMORY_CLOCK_MHZ 2619.0
#define COUNTER_OFFSET_J 1000.0
#define MOST_DISTANT_S 1e9 /* so that a double can count periods of a microsecond one by one */

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999
};

enum { FIELD_ENERGY = 83, FIELD_POWER_AVERAGE = 185, FIELD_POWER_INSTANT = 186 };
enum { VALUE_UNSIGNED_INT = 1, VALUE_UNSIGNED_LONG_LONG = 3 };

/* ---- What is simulated ---- */

struct step {
    double begins_s, watts, before_j; /* before_j: energy of the steps before it */
};

/* A value that holds from one moment to another. */
struct timed {
    double value, from_s, to_s;
};

struct series {
    struct timed *items;
    int count;
};

struct process {
    unsigned pid;
    unsigned long long bytes;
    double from_s, to_s;
};

enum fault_kind { LOST, FAILING, STUCK, RESET, MISSING, FORBIDDEN, POWER_MISSING, SETTINGS_MISSING, FAULT_KINDS };
static const char *const FAULT_NAMES[FAULT_KINDS] = {
    "lost", "error", "stuck", "reset", "missing", "permission", "power_missing", "settings_missing",
};

struct fault {
    enum fault_kind kind;
    double from_s, to_s;
};

struct gpu {
    int index, slot, line; /* index: among the visible; slot: among all of the machine */
    char uuid[96], name[96];
    struct step *steps;
    int step_count;
    double cycle_s, cycle_j, before_w, offset_j;
    double counter_period_s, counter_phase_s, counter_jitter_s, counter_delay_s;
    double power_period_s, power_window_s, instant_period_s, instant_window_s;
    struct series memory_total_bytes, memory_used_bytes, temperature_c, sm_clock_mhz, memory_clock_mhz, utilisation;
    struct series power_limit_w, throttle;
    double mig, ecc, ecc_pending, persistence, enforced_limit_w, application_clock_mhz;
    struct process *processes;
    int process_count;
    struct fault *faults;
    int fault_count;
    uint64_t seed;
};

struct machine {
    char *text; /* the file it was made of */
    size_t length;
    double origin_s, call_s;
    struct gpu **gpus;
    int gpu_count;
};

/* ---- Reading gpus.conf ---- */

struct reader {
    const char *path;
    int line;
    char reason[200];
};

static bool fail(struct reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->reason, sizeof reader->reason, format, arguments);
    va_end(arguments);
    return false;
}

static void *grown(void *items, int count, size_t size) {
    void *larger = realloc(items, (size_t)(count + 1) * size);
    if (!larger)
        abort();
    memset((char *)larger + (size_t)count * size, 0, size);
    return larger;
}

/* The next word of a line, ended by a NUL; then *rest is at the one after it, or at the line's end. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " \t");
    char *end = word + strcspn(word, " \t");
    *rest = end + strspn(end, " \t");
    *end = 0;
    return *word ? word : NULL;
}

static bool parse_number(struct reader *reader, const char *word, double low, double high, double *number) {
    char *end;
    if (!word)
        return fail(reader, "a number is missing");
    *number = strtod(word, &end);
    if (end == word || *end || !(*number >= low && *number <= high))
        return fail(reader, "%.40s is not a number from %g to %g", word, low, high);
    return true;
}

static bool parse_moment(struct reader *reader, const char *word, double *moment_s) {
    if (!parse_number(reader, word, -INFINITY, INFINITY, moment_s))
        return false;
    return isinf(*moment_s) || parse_number(reader, word, -MOST_DISTANT_S, MOST_DISTANT_S, moment_s);
}

static bool parse_interval(struct reader *reader, char **rest, double *from_s, double *to_s) {
    if (!parse_moment(reader, next_word(rest), from_s) || !parse_moment(reader, next_word(rest), to_s))
        return false;
    return *from_s <= *to_s || fail(reader, "ends before it begins");
}

static bool parse_curve(struct reader *reader, struct gpu *gpu, char **rest) {
    char *word;
    if (gpu->step_count)
        return fail(reader, "a second curve");
    while ((word = next_word(rest))) {
        double duration_s, watts;
        char *colon = strchr(word, ':');
        if (!colon)
            return fail(reader, "%.40s is not DURATION:WATTS", word);
        *colon = 0;
        if (!parse_number(reader, word, 1e-6, 1e9, &duration_s) || !parse_number(reader, colon + 1, 0, 1e6, &watts))
            return false;
        gpu->steps = grown(gpu->steps, gpu->step_count, sizeof *gpu->steps);
        gpu->steps[gpu->step_count++] = (struct step){gpu->cycle_s, watts, gpu->cycle_j};
        gpu->cycle_s += duration_s;
        gpu->cycle_j += duration_s * watts;
    }
    return gpu->step_count || fail(reader, "a curve without steps");
}

/* VALUE, or VALUE FROM TO; the last line that holds at a moment wins. */
static bool parse_timed(struct reader *reader, struct series *series, char **rest, double high) {
    struct timed timed = {0, -INFINITY, INFINITY};
    if (!parse_number(reader, next_word(rest), 0, high, &timed.value))
        return false;
    if (**rest && !parse_interval(reader, rest, &timed.from_s, &timed.to_s))
        return false;
    series->items = grown(series->items, series->count, sizeof *series->items);
    series->items[series->count++] = timed;
    return true;
}

static bool parse_throttle(struct reader *reader, struct gpu *gpu, char **rest) {
    struct timed timed;
    if (!parse_number(reader, next_word(rest), 0, 4294967295.0, &timed.value) ||
        !parse_interval(reader, rest, &timed.from_s, &timed.to_s))
        return false;
    gpu->throttle.items = grown(gpu->throttle.items, gpu->throttle.count, sizeof timed);
    gpu->throttle.items[gpu->throttle.count++] = timed;
    return true;
}

static bool parse_process(struct reader *reader, struct gpu *gpu, char **rest) {
    double pid, bytes, from_s, to_s;
    if (!parse_number(reader, next_word(rest), 0, 4294967295.0, &pid) ||
        !parse_number(reader, next_word(rest), 0, 1e15, &bytes) ||
        !parse_interval(reader, rest, &from_s, &to_s))
        return false;
    gpu->processes = grown(gpu->processes, gpu->process_count, sizeof *gpu->processes);
    gpu->processes[gpu->process_count++] =
        (struct process){(unsigned)pid, (unsigned long long)bytes, from_s, to_s};
    return true;
}

static bool parse_fault(struct reader *reader, struct gpu *gpu, char **rest) {
    struct fault fault;
    int kind = 0;
    char *word = next_word(rest);
    while (kind < FAULT_KINDS && (!word || strcmp(word, FAULT_NAMES[kind])))
        kind++;
    if (kind == FAULT_KINDS)
        return fail(reader, "no such fault: %.40s", word ? word : "");
    fault.kind = (enum fault_kind)kind;
    if (!parse_interval(reader, rest, &fault.from_s, &fault.to_s))
        return false;
    if (fault.kind == RESET && isinf(fault.from_s))
        return fail(reader, "a reset happens at a moment");
    gpu->faults = grown(gpu->faults, gpu->fault_count, sizeof *gpu->faults);
    gpu->faults[gpu->fault_count++] = fault;
    return true;
}

static bool parse_text(struct reader *reader, char *to, size_t size, const char *text) {
    if (!*text || strlen(text) >= size)
        return fail(reader, "a text of 1 to %d characters is missing", (int)size - 1);
    strcpy(to, text);
    return true;
}

static bool parse_gpu_setting(struct reader *reader, struct gpu *gpu, const char *key, char **rest) {
    const struct {
        const char *key;
        double *to, low, high;
    } numbers[] = {
        {"before", &gpu->before_w, 0, 1e6},
        {"counter_period_s", &gpu->counter_period_s, 1e-6, 1e6},
        {"counter_phase_s", &gpu->counter_phase_s, 0, 1e6},
        {"counter_jitter_s", &gpu->counter_jitter_s, 0, 1e6},
        {"counter_delay_s", &gpu->counter_delay_s, 0, 1e6},
        {"power_period_s", &gpu->power_period_s, 1e-6, 1e6},
        {"power_window_s", &gpu->power_window_s, 1e-6, 1e6},
        {"instant_period_s", &gpu->instant_period_s, 1e-6, 1e6},
        {"instant_window_s", &gpu->instant_window_s, 1e-6, 1e6},
        {"mig", &gpu->mig, 0, 1},
        {"ecc", &gpu->ecc, 0, 1},
        {"ecc_pending", &gpu->ecc_pending, 0, 1},
        {"persistence", &gpu->persistence, 0, 1},
        {"enforced_limit_w", &gpu->enforced_limit_w, 0, 1e6},
        {"application_clock_mhz", &gpu->application_clock_mhz, 0, 1e5},
    };
    const struct {
        const char *key;
        struct series *to;
        double high;
    } timed[] = {
        {"memory_total_bytes", &gpu->memory_total_bytes, 1e15},
        {"memory_used_bytes", &gpu->memory_used_bytes, 1e15},
        {"temperature_c", &gpu->temperature_c, 200},
        {"sm_clock_mhz", &gpu->sm_clock_mhz, 1e5},
        {"memory_clock_mhz", &gpu->memory_clock_mhz, 1e5},
        {"utilisation", &gpu->utilisation, 100},
        {"power_limit_w", &gpu->power_limit_w, 1e6},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(key, numbers[i].key))
            return parse_number(reader, next_word(rest), numbers[i].low, numbers[i].high, numbers[i].to);
    for (size_t i = 0; i < sizeof timed / sizeof *timed; i++)
        if (!strcmp(key, timed[i].key))
            return parse_timed(reader, timed[i].to, rest, timed[i].high);
    if (!strcmp(key, "curve"))
        return parse_curve(reader, gpu, rest);
    if (!strcmp(key, "throttle"))
        return parse_throttle(reader, gpu, rest);
    if (!strcmp(key, "process"))
        return parse_process(reader, gpu, rest);
    if (!strcmp(key, "fault"))
        return parse_fault(reader, gpu, rest);
    return fail(reader, "no such setting of a GPU: %.40s", key);
}

static struct gpu *new_gpu(int slot, int line) {
    struct gpu *gpu = grown(NULL, 0, sizeof *gpu);
    gpu->slot = slot;
    gpu->line = line;
    gpu->before_w = gpu->ecc_pending = gpu->enforced_limit_w = gpu->application_clock_mhz = -1;
    gpu->ecc = gpu->persistence = 1;
    gpu->counter_period_s = 0.1;
    gpu->power_period_s = 0.1;
    gpu->power_window_s = 0.025;
    gpu->instant_period_s = gpu->instant_window_s = 0.001;
    snprintf(gpu->name, sizeof gpu->name, NAME_PREFIX "GPU");
    return gpu;
}

static void set_default(struct series *series, double value) {
    struct timed *items = grown(NULL, series->count, sizeof *items);
    if (series->count)
        memcpy(items + 1, series->items, (size_t)series->count * sizeof *items);
    free(series->items);
    items[0] = (struct timed){value, -INFINITY, INFINITY};
    series->items = items;
    series->count++;
}

static uint64_t mixed(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool complete(struct reader *reader, struct machine *machine, struct gpu *gpu) {
    reader->line = gpu->line;
    if (strncmp(gpu->uuid, "GPU-", 4))
        return fail(reader, "a GPU needs a uuid that begins with GPU-");
    if (strncmp(gpu->name, NAME_PREFIX, strlen(NAME_PREFIX)))
        return fail(reader, "the name of a simulated GPU begins with \"" NAME_PREFIX "\"");
    for (int i = 0; i < gpu->slot; i++)
        if (!strcmp(machine->gpus[i]->uuid, gpu->uuid))
            return fail(reader, "a second GPU with the uuid %.50s", gpu->uuid);
    if (!gpu->step_count)
        return fail(reader, "a GPU needs a curve");
    if (gpu->counter_jitter_s >= gpu->counter_period_s / 2)
        return fail(reader, "counter_jitter_s must be less than half of counter_period_s");
    if (gpu->before_w < 0)
        gpu->before_w = gpu->steps[0].watts;
    /* So that the counter is not negative at any moment since the machine was started. */
    gpu->offset_j = COUNTER_OFFSET_J + ceil(gpu->before_w * (machine->origin_s > 0 ? machine->origin_s : 0));
    for (const char *at = gpu->uuid; *at; at++)
        gpu->seed = mixed(gpu->seed ^ (unsigned char)*at);
    set_default(&gpu->memory_total_bytes, 80.0 * (1u << 30));
    set_default(&gpu->memory_used_bytes, 0.0);
    set_default(&gpu->temperature_c, 45);
    set_default(&gpu->sm_clock_mhz, HIGHEST_SM_CLOCK_MHZ);
    set_default(&gpu->memory_clock_mhz, HIGHEST_MEMORY_CLOCK_MHZ);
    set_default(&gpu->utilisation, 0);
    set_default(&gpu->power_limit_w, 700);
    if (gpu->ecc_pending < 0)
        gpu->ecc_pending = gpu->ecc;
    if (gpu->application_clock_mhz < 0)
        gpu->application_clock_mhz = HIGHEST_SM_CLOCK_MHZ;
    return true;
}

static bool parse_line(struct reader *reader, struct machine *machine, char *line) {
    char *rest = line;
    struct gpu *gpu = machine->gpu_count ? machine->gpus[machine->gpu_count - 1] : NULL;
    char *comment = strchr(line, '#');
    if (comment)
        *comment = 0;
    size_t length = strlen(line);
    while (length && strchr(" \t\r", line[length - 1]))
        line[--length] = 0;
    char *key = next_word(&rest);
    if (!key)
        return true;
    if (!strcmp(key, "[gpu]")) {
        machine->gpus = grown(machine->gpus, machine->gpu_count, sizeof *machine->gpus);
        machine->gpus[machine->gpu_count] = new_gpu(machine->gpu_count, reader->line);
        machine->gpu_count++;
    } else if (!strcmp(key, "origin_s")) {
        if (!parse_number(reader, next_word(&rest), -MOST_DISTANT_S, MOST_DISTANT_S, &machine->origin_s))
            return false;
    } else if (!strcmp(key, "call_s")) {
        if (!parse_number(reader, next_word(&rest), 0, 1, &machine->call_s))
            return false;
    } else if (gpu && !strcmp(key, "uuid")) {
        return parse_text(reader, gpu->uuid, sizeof gpu->uuid, rest);
    } else if (gpu && !strcmp(key, "name")) {
        return parse_text(reader, gpu->name, sizeof gpu->name, rest);
    } else if (gpu) {
        if (!parse_gpu_setting(reader, gpu, key, &rest))
            return false;
    } else {
        return fail(reader, "no such setting before the first [gpu]: %.40s", key);
    }
    key = next_word(&rest);
    return !key || fail(reader, "%.40s is one word too many", key);
}

static bool is_named(const struct gpu *gpu, const char *named) {
    size_t length = strlen(gpu->uuid);
    for (const char *at = strstr(named, gpu->uuid); at; at = strstr(at + 1, gpu->uuid))
        if ((at == named || at[-1] == ',') && (!at[length] || at[length] == ','))
            return true;
    return false;
}

static void keep_visible(struct machine *machine) {
    const char *named = getenv(VISIBLE_VARIABLE);
    bool some = false;
    int kept = 0;
    for (int i = 0; named && i < machine->gpu_count; i++)
        some = some || is_named(machine->gpus[i], named);
    for (int i = 0; i < machine->gpu_count; i++)
        if (!some || is_named(machine->gpus[i], named)) {
            machine->gpus[i]->index = kept;
            machine->gpus[kept++] = machine->gpus[i];
        }
    machine->gpu_count = kept;
}

/* The machine that a text says. Of a bad text nothing is freed: it ends the attempt. */
static struct machine *parse(struct reader *reader, const char *text, size_t length) {
    struct machine *machine = grown(NULL, 0, sizeof *machine);
    char *work = grown(NULL, 0, length + 1);
    bool right = true;
    memcpy(work, text, length);
    if (memchr(text, 0, length))
        right = fail(reader, "a NUL byte");
    char *line = work;
    while (right && line) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        reader->line++;
        right = parse_line(reader, machine, line);
        line = end ? end + 1 : NULL;
    }
    if (right && !machine->gpu_count) {
        reader->line = 0;
        right = fail(reader, "no [gpu]");
    }
    for (int i = 0; right && i < machine->gpu_count; i++)
        right = complete(reader, machine, machine->gpus[i]);
    free(work);
    if (!right)
        return NULL;
    keep_visible(machine);
    return machine;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0, got = 1;
    *length = 0;
    if (!file)
        return NULL;
    while (got) {
        room = *length + 65536;
        text = realloc(text, room);
        if (!text)
            abort();
        got = fread(text + *length, 1, room - *length, file);
        *length += got;
    }
    bool failed = ferror(file);
    fclose(file);
    if (failed) {
        free(text);
        return NULL;
    }
    return text;
}

static void complain(const struct reader *reader) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&told))
        return;
    if (reader->line)
        fprintf(stderr, "simulated GPU: %s:%d: %s\n", reader->path, reader->line, reader->reason);
    else
        fprintf(stderr, "simulated GPU: %s: %s\n", reader->path, reader->reason);
}

/* The machine of gpus.conf; `known` if that file still says the same; NULL if it says no machine. */
static struct machine *load(struct machine *known) {
    char path[4096];
    const char *folder = getenv(VARIABLE);
    struct reader reader = {.path = VARIABLE};
    struct machine *machine = NULL;
    if (!folder || !*folder) {
        fail(&reader, "not set: it names the folder of gpus.conf");
        complain(&reader);
        return NULL;
    }
    if (snprintf(path, sizeof path, "%s/gpus.conf", folder) >= (int)sizeof path) {
        fail(&reader, "names too long a path");
        complain(&reader);
        return NULL;
    }
    reader.path = path;
    size_t length;
    char *text = read_file(path, &length);
    if (!text) {
        fail(&reader, "cannot be read");
        complain(&reader);
        return NULL;
    }
    if (known && known->length == length && !memcmp(known->text, text, length)) {
        free(text);
        return known;
    }
    /* Numbers are written with a point, whatever the program's locale. */
    locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    locale_t previous = uselocale(plain);
    machine = parse(&reader, text, length);
    uselocale(previous);
    if (plain)
        freelocale(plain);
    if (!machine) {
        complain(&reader);
        free(text);
        return NULL;
    }
    machine->text = text;
    machine->length = length;
    return machine;
}

/* ---- The physics: pure functions of a GPU and of seconds since the origin ---- */

/* Energy drawn since the origin; negative before it. */
static double energy_j(const struct gpu *gpu, double t_s) {
    if (t_s < 0)
        return gpu->before_w * t_s;
    double cycles = floor(t_s / gpu->cycle_s);
    double within_s = t_s - cycles * gpu->cycle_s;
    int low = 0, high = gpu->step_count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (gpu->steps[middle].begins_s <= within_s)
            low = middle;
        else
            high = middle;
    }
    const struct step *step = &gpu->steps[low];
    return cycles * gpu->cycle_j + step->before_j + step->watts * (within_s - step->begins_s);
}

static double update_s(const struct gpu *gpu, double number) {
    double moment_s = gpu->counter_phase_s + number * gpu->counter_period_s;
    if (gpu->counter_jitter_s > 0) {
        uint64_t hash = mixed(gpu->seed ^ (uint64_t)(int64_t)number);
        moment_s += gpu->counter_jitter_s * ((double)(hash >> 11) * 0x1p-52 - 1);
    }
    return moment_s;
}

/* The last update of the counter before a moment, or (inclusive) at it. */
static double last_update_s(const struct gpu *gpu, double t_s, bool inclusive) {
    double number = floor((t_s - gpu->counter_phase_s) / gpu->counter_period_s) + 1;
    double moment_s = update_s(gpu, number);
    while (moment_s > t_s || (!inclusive && moment_s == t_s))
        moment_s = update_s(gpu, --number);
    return moment_s;
}

static bool holds(double from_s, double to_s, double t_s) { return from_s <= t_s && t_s < to_s; }

static bool faulty(const struct gpu *gpu, enum fault_kind kind, double t_s) {
    for (int i = 0; i < gpu->fault_count; i++)
        if (gpu->faults[i].kind == kind && holds(gpu->faults[i].from_s, gpu->faults[i].to_s, t_s))
            return true;
    return false;
}

/* What the energy counter shows, in millijoules. */
static unsigned long long counter_mj(const struct gpu *gpu, double t_s) {
    double moment_s = last_update_s(gpu, t_s, true), reset_s = -INFINITY, shown_j = gpu->offset_j;
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < gpu->fault_count; i++) {
            const struct fault *fault = &gpu->faults[i];
            if (fault->kind == STUCK && holds(fault->from_s, fault->to_s, moment_s) && !isinf(moment_s)) {
                moment_s = isinf(fault->from_s) ? -INFINITY : last_update_s(gpu, fault->from_s, false);
                moved = true;
            }
        }
    }
    for (int i = 0; i < gpu->fault_count; i++)
        if (gpu->faults[i].kind == RESET && gpu->faults[i].from_s <= t_s && gpu->faults[i].from_s > reset_s)
            reset_s = gpu->faults[i].from_s;
    if (!isinf(moment_s))
        shown_j += energy_j(gpu, moment_s - gpu->counter_delay_s);
    if (!isinf(reset_s))
        shown_j -= gpu->offset_j + energy_j(gpu, reset_s);
    return shown_j > 0 ? (unsigned long long)(shown_j * 1000) : 0;
}

/* Mean power over a window that ended when it was last refreshed, in milliwatts. */
static unsigned power_mw(const struct gpu *gpu, double t_s, double period_s, double window_s) {
    double end_s = floor(t_s / period_s) * period_s;
    return (unsigned)((energy_j(gpu, end_s) - energy_j(gpu, end_s - window_s)) / window_s * 1000 + 0.5);
}

static double value_at(const struct series *series, double t_s) {
    int i = series->count - 1;
    while (!holds(series->items[i].from_s, series->items[i].to_s, t_s) && i > 0)
        i--;
    return series->items[i].value;
}

static unsigned long long used_bytes(const struct gpu *gpu, double t_s) {
    double used = value_at(&gpu->memory_used_bytes, t_s), total = value_at(&gpu->memory_total_bytes, t_s);
    for (int i = 0; i < gpu->process_count; i++)
        if (holds(gpu->processes[i].from_s, gpu->processes[i].to_s, t_s))
            used += (double)gpu->processes[i].bytes;
    return (unsigned long long)(used < total ? used : total);
}

static int energy_code(const struct gpu *gpu, double t_s) {
    return faulty(gpu, FORBIDDEN, t_s) ? NO_PERMISSION
           : faulty(gpu, FAILING, t_s) ? UNKNOWN
           : faulty(gpu, MISSING, t_s) ? NOT_SUPPORTED
                                       : SUCCESS;
}

static int power_code(const struct gpu *gpu, double t_s) {
    return faulty(gpu, FORBIDDEN, t_s)       ? NO_PERMISSION
           : faulty(gpu, FAILING, t_s)       ? UNKNOWN
           : faulty(gpu, POWER_MISSING, t_s) ? NOT_SUPPORTED
                                             : SUCCESS;
}

/* ---- Sessions and calls ---- */

static atomic_flag busy = ATOMIC_FLAG_INIT;
static _Atomic int sessions;
/* Machines are never freed, so no call in another thread loses its GPU; one of the same file is used again. */
static struct machine *_Atomic current;

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void spin_until(double moment_s) {
    while (now_s() < moment_s)
        ;
}

struct call {
    const struct gpu *gpu;
    double t_s, end_s;
};

static const struct machine *machine_in_session(void) { return sessions > 0 ? current : NULL; }

/* Begins a call that asks a device: half of its time passes, then the moment is taken. */
static int begin_call(struct call *call, const struct machine *machine, const struct gpu *gpu) {
    double began_s = now_s();
    call->gpu = gpu;
    call->end_s = began_s + machine->call_s;
    if (machine->call_s > 0)
        spin_until(began_s + machine->call_s / 2);
    call->t_s = (machine->call_s > 0 ? now_s() : began_s) - machine->origin_s;
    return faulty(gpu, LOST, call->t_s) ? GPU_IS_LOST : SUCCESS;
}

static int begin(struct call *call, const void *device) {
    const struct machine *machine = machine_in_session();
    call->end_s = 0;
    if (!machine)
        return UNINITIALIZED;
    for (int i = 0; i < machine->gpu_count; i++)
        if (machine->gpus[i] == device)
            return begin_call(call, machine, machine->gpus[i]);
    return INVALID_ARGUMENT;
}

static int end(const struct call *call, int code) {
    spin_until(call->end_s);
    return code;
}

static int put(char *to, unsigned length, const char *text) {
    if (!to)
        return INVALID_ARGUMENT;
    if (strlen(text) >= length)
        return INSUFFICIENT_SIZE;
    strcpy(to, text);
    return SUCCESS;
}

/* The body of a call that puts one value into *to. */
#define ANSWER(device, to, code_, value)                                                                               \
    struct call call;                                                                                                  \
    int code = begin(&call, device);                                                                                   \
    if (!code && !(to))                                                                                                \
        code = INVALID_ARGUMENT;                                                                                       \
    if (!code)                                                                                                         \
        code = (code_);                                                                                                \
    if (!code)                                                                                                         \
        *(to) = (value);                                                                                               \
    return end(&call, code)

static unsigned rounded(double value) { return (unsigned)(value + 0.5); }

/* ---- The library ---- */

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    while (atomic_flag_test_and_set(&busy))
        sched_yield();
    struct machine *machine = sessions > 0 ? current : load(current);
    if (machine) {
        current = machine;
        sessions++;
    }
    atomic_flag_clear(&busy);
    return machine ? SUCCESS : UNKNOWN;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    while (atomic_flag_test_and_set(&busy))
        sched_yield();
    int code = sessions > 0 ? SUCCESS : UNINITIALIZED;
    if (!code)
        sessions--;
    atomic_flag_clear(&busy);
    return code;
}

/* What this library was compiled from, for whoever asks whether it is up to date. */
#ifndef SOURCE_SHA256
#define SOURCE_SHA256 "unknown"
#endif
const char simulated_gpu_source[] = SOURCE_SHA256;

const char *nvmlErrorString(int code) {
    static const char *const texts[] = {
        [SUCCESS] = "Success",
        [UNINITIALIZED] = "Uninitialized",
        [INVALID_ARGUMENT] = "Invalid Argument",
        [NOT_SUPPORTED] = "Not Supported",
        [NO_PERMISSION] = "Insufficient Permissions",
        [NOT_FOUND] = "Not Found",
        [INSUFFICIENT_SIZE] = "Insufficient Size",
        [GPU_IS_LOST] = "GPU is lost",
        [ARGUMENT_VERSION_MISMATCH] = "Argument version mismatch",
    };
    bool known = code >= 0 && code < (int)(sizeof texts / sizeof *texts) && texts[code];
    return known ? texts[code] : "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) { return put(version, length, DRIVER_VERSION); }
int nvmlSystemGetNVMLVersion(char *version, unsigned length) { return put(version, length, "12." DRIVER_VERSION); }

int nvmlSystemGetCudaDriverVersion(int *version) {
    if (!version)
        return INVALID_ARGUMENT;
    *version = CUDA_VERSION;
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) { return nvmlSystemGetCudaDriverVersion(version); }

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    const struct machine *machine = machine_in_session();
    if (!machine)
        return UNINITIALIZED;
    for (int i = 0; i < machine->gpu_count; i++)
        for (int j = 0; j < machine->gpus[i]->process_count; j++)
            if (machine->gpus[i]->processes[j].pid == pid)
                return put(name, length, "simulated");
    return NOT_FOUND;
}

/* ---- Finding devices ---- */

int nvmlDeviceGetCount_v2(unsigned *count) {
    const struct machine *machine = machine_in_session();
    if (!machine)
        return UNINITIALIZED;
    if (!count)
        return INVALID_ARGUMENT;
    *count = (unsigned)machine->gpu_count;
    return SUCCESS;
}

int nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

static void bus_id(const struct gpu *gpu, char *to, size_t size, const char *format) {
    snprintf(to, size, format, 0u, (unsigned)gpu->slot + 1, 0u);
}

#define LONG_BUS_ID "%08X:%02X:%02X.0"
#define SHORT_BUS_ID "%04X:%02X:%02X.0"

static int hand_out(const struct machine *machine, const struct gpu *gpu, const void **device) {
    struct call call;
    int code = begin_call(&call, machine, gpu);
    if (!code)
        *device = gpu;
    return end(&call, code);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, const void **device) {
    const struct machine *machine = machine_in_session();
    if (!machine)
        return UNINITIALIZED;
    if (!device || index >= (unsigned)machine->gpu_count)
        return INVALID_ARGUMENT;
    return hand_out(machine, machine->gpus[index], device);
}

int nvmlDeviceGetHandleByIndex(unsigned index, const void **device) {
    return nvmlDeviceGetHandleByIndex_v2(index, device);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, const void **device) {
    const struct machine *machine = machine_in_session();
    if (!machine)
        return UNINITIALIZED;
    if (!uuid || !device)
        return INVALID_ARGUMENT;
    for (int i = 0; i < machine->gpu_count; i++)
        if (!strcmp(machine->gpus[i]->uuid, uuid))
            return hand_out(machine, machine->gpus[i], device);
    return NOT_FOUND;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, const void **device) {
    const struct machine *machine = machine_in_session();
    if (!machine)
        return UNINITIALIZED;
    if (!id || !device)
        return INVALID_ARGUMENT;
    for (int i = 0; i < machine->gpu_count; i++) {
        char full[32], brief[32];
        bus_id(machine->gpus[i], full, sizeof full, LONG_BUS_ID);
        bus_id(machine->gpus[i], brief, sizeof brief, SHORT_BUS_ID);
        if (!strcmp(full, id) || !strcmp(brief, id))
            return hand_out(machine, machine->gpus[i], device);
    }
    return NOT_FOUND;
}

int nvmlDeviceGetHandleByPciBusId(const char *id, const void **device) {
    return nvmlDeviceGetHandleByPciBusId_v2(id, device);
}

/* ---- What a device is ---- */

int nvmlDeviceGetIndex(const void *device, unsigned *index) {
    ANSWER(device, index, SUCCESS, (unsigned)call.gpu->index);
}

int nvmlDeviceGetMinorNumber(const void *device, unsigned *number) {
    ANSWER(device, number, SUCCESS, (unsigned)call.gpu->index);
}

int nvmlDeviceGetName(const void *device, char *name, unsigned length) {
    struct call call;
    int code = begin(&call, device);
    return end(&call, code ? code : put(name, length, call.gpu->name));
}

int nvmlDeviceGetUUID(const void *device, char *uuid, unsigned length) {
    struct call call;
    int code = begin(&call, device);
    return end(&call, code ? code : put(uuid, length, call.gpu->uuid));
}

int nvmlDeviceGetBrand(const void *device, int *brand) { ANSWER(device, brand, SUCCESS, 14); }

int nvmlDeviceGetArchitecture(const void *device, unsigned *architecture) { ANSWER(device, architecture, SUCCESS, 9); }

int nvmlDeviceGetCudaComputeCapability(const void *device, int *major, int *minor) {
    if (!minor)
        return INVALID_ARGUMENT;
    *minor = 0;
    ANSWER(device, major, SUCCESS, 9);
}

struct pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

int nvmlDeviceGetPciInfo_v3(const void *device, struct pci *pci) {
    struct call call;
    int code = begin(&call, device);
    if (!code && !pci)
        code = INVALID_ARGUMENT;
    if (!code) {
        memset(pci, 0, sizeof *pci);
        bus_id(call.gpu, pci->legacy_id, sizeof pci->legacy_id, SHORT_BUS_ID);
        bus_id(call.gpu, pci->id, sizeof pci->id, LONG_BUS_ID);
        pci->bus = (unsigned)call.gpu->slot + 1;
    }
    return end(&call, code);
}

/* The second version ends in four reserved numbers, which are as long as the first half of the id. */
int nvmlDeviceGetPciInfo_v2(const void *device, void *pci) {
    struct pci whole;
    int code = nvmlDeviceGetPciInfo_v3(device, &whole);
    if (code || !pci)
        return code ? code : INVALID_ARGUMENT;
    memset(whole.id, 0, sizeof whole.id);
    memcpy(pci, &whole, sizeof whole - 16);
    return SUCCESS;
}

/* How it is set, which not every GPU tells. */
static int setting_code(const struct gpu *gpu, double t_s) {
    return faulty(gpu, SETTINGS_MISSING, t_s) ? NOT_SUPPORTED : SUCCESS;
}

int nvmlDeviceGetPersistenceMode(const void *device, int *mode) {
    ANSWER(device, mode, setting_code(call.gpu, call.t_s), call.gpu->persistence > 0);
}

int nvmlDeviceGetComputeMode(const void *device, int *mode) { ANSWER(device, mode, SUCCESS, 0); }
int nvmlDeviceGetPerformanceState(const void *device, int *state) { ANSWER(device, state, SUCCESS, 0); }
int nvmlDeviceGetPowerState(const void *device, int *state) { ANSWER(device, state, SUCCESS, 0); }
int nvmlDeviceGetPowerManagementMode(const void *device, int *mode) { ANSWER(device, mode, SUCCESS, 1); }

int nvmlDeviceGetEccMode(const void *device, int *present, int *pending) {
    struct call call;
    int code = begin(&call, device);
    if (!code)
        code = present && pending ? setting_code(call.gpu, call.t_s) : INVALID_ARGUMENT;
    if (!code) {
        *present = call.gpu->ecc > 0;
        *pending = call.gpu->ecc_pending > 0;
    }
    return end(&call, code);
}

int nvmlDeviceGetMigMode(const void *device, unsigned *present, unsigned *pending) {
    struct call call;
    int code = begin(&call, device);
    if (!code)
        code = present && pending ? setting_code(call.gpu, call.t_s) : INVALID_ARGUMENT;
    if (!code)
        *present = *pending = call.gpu->mig > 0;
    return end(&call, code);
}

/* ---- What a device does ---- */

struct memory {
    unsigned long long total, free, used;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

int nvmlDeviceGetMemoryInfo(const void *device, struct memory *memory) {
    struct call call;
    int code = begin(&call, device);
    if (!code && !memory)
        code = INVALID_ARGUMENT;
    if (!code) {
        memory->total = (unsigned long long)value_at(&call.gpu->memory_total_bytes, call.t_s);
        memory->used = used_bytes(call.gpu, call.t_s);
        memory->free = memory->total - memory->used;
    }
    return end(&call, code);
}

int nvmlDeviceGetMemoryInfo_v2(const void *device, struct memory_v2 *memory) {
    struct memory found;
    if (!memory)
        return INVALID_ARGUMENT;
    if (memory->version != (sizeof *memory | 2u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    int code = nvmlDeviceGetMemoryInfo(device, &found);
    if (!code) {
        memory->total = found.total;
        memory->reserved = 0;
        memory->free = found.free;
        memory->used = found.used;
    }
    return code;
}

struct utilisation {
    unsigned gpu, memory;
};

int nvmlDeviceGetUtilizationRates(const void *device, struct utilisation *utilisation) {
    ANSWER(device, utilisation, call.gpu->mig > 0 ? NOT_SUPPORTED : SUCCESS,
           ((struct utilisation){rounded(value_at(&call.gpu->utilisation, call.t_s)),
                                 rounded(value_at(&call.gpu->utilisation, call.t_s))}));
}

int nvmlDeviceGetTemperature(const void *device, int sensor, unsigned *temperature) {
    ANSWER(device, temperature, sensor ? INVALID_ARGUMENT : SUCCESS,
           rounded(value_at(&call.gpu->temperature_c, call.t_s)));
}

struct temperature {
    unsigned version;
    int sensor, celsius;
};

int nvmlDeviceGetTemperatureV(const void *device, struct temperature *temperature) {
    unsigned celsius = 0;
    if (!temperature)
        return INVALID_ARGUMENT;
    if (temperature->version != (sizeof *temperature | 1u << 24))
        return ARGUMENT_VERSION_MISMATCH;
    int code = nvmlDeviceGetTemperature(device, temperature->sensor, &celsius);
    if (!code)
        temperature->celsius = (int)celsius;
    return code;
}

/* Of the thresholds, those of shutdown and of slowdown. */
int nvmlDeviceGetTemperatureThreshold(const void *device, int threshold, unsigned *celsius) {
    ANSWER(device, celsius, threshold == 0 || threshold == 1 ? SUCCESS : NOT_SUPPORTED, threshold ? 90u : 95u);
}

/* Types of clocks: graphics, SM, memory, video. */
static double clock_mhz(const struct gpu *gpu, int type, double t_s) {
    return value_at(type == 2 ? &gpu->memory_clock_mhz : &gpu->sm_clock_mhz, t_s);
}

static int clock_code(int type) { return type >= 0 && type <= 3 ? SUCCESS : INVALID_ARGUMENT; }

int nvmlDeviceGetClockInfo(const void *device, int type, unsigned *mhz) {
    ANSWER(device, mhz, clock_code(type), rounded(clock_mhz(call.gpu, type, call.t_s)));
}

static int application_code(const struct gpu *gpu, int type, double t_s) {
    return clock_code(type) ? clock_code(type) : setting_code(gpu, t_s);
}

int nvmlDeviceGetApplicationsClock(const void *device, int type, unsigned *mhz) {
    ANSWER(device, mhz, application_code(call.gpu, type, call.t_s),
           rounded(type == 2 ? HIGHEST_MEMORY_CLOCK_MHZ : call.gpu->application_clock_mhz));
}

int nvmlDeviceGetDefaultApplicationsClock(const void *device, int type, unsigned *mhz) {
    ANSWER(device, mhz, application_code(call.gpu, type, call.t_s),
           rounded(type == 2 ? HIGHEST_MEMORY_CLOCK_MHZ : HIGHEST_SM_CLOCK_MHZ));
}

int nvmlDeviceGetMaxClockInfo(const void *device, int type, unsigned *mhz) {
    ANSWER(device, mhz, clock_code(type),
           rounded(fmax(type == 2 ? HIGHEST_MEMORY_CLOCK_MHZ : HIGHEST_SM_CLOCK_MHZ,
                        clock_mhz(call.gpu, type, call.t_s))));
}

int nvmlDeviceGetClock(const void *device, int type, int id, unsigned *mhz) {
    return id ? NOT_SUPPORTED : nvmlDeviceGetClockInfo(device, type, mhz);
}

int nvmlDeviceGetCurrentClocksEventReasons(const void *device, unsigned long long *reasons) {
    struct call call;
    int code = begin(&call, device);
    if (!code && !reasons)
        code = INVALID_ARGUMENT;
    if (!code) {
        *reasons = 0;
        for (int i = 0; i < call.gpu->throttle.count; i++) {
            const struct timed *throttle = &call.gpu->throttle.items[i];
            if (holds(throttle->from_s, throttle->to_s, call.t_s))
                *reasons |= (unsigned long long)throttle->value;
        }
    }
    return end(&call, code);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(const void *device, unsigned long long *reasons) {
    return nvmlDeviceGetCurrentClocksEventReasons(device, reasons);
}

int nvmlDeviceGetSupportedClocksEventReasons(const void *device, unsigned long long *reasons) {
    ANSWER(device, reasons, SUCCESS, 0x1ff);
}

int nvmlDeviceGetSupportedClocksThrottleReasons(const void *device, unsigned long long *reasons) {
    return nvmlDeviceGetSupportedClocksEventReasons(device, reasons);
}

struct process_info {
    unsigned pid;
    unsigned long long bytes;
    unsigned gpu_instance, compute_instance;
};

int nvmlDeviceGetComputeRunningProcesses_v3(const void *device, unsigned *count, struct process_info *processes) {
    struct call call;
    int code = begin(&call, device);
    unsigned found = 0;
    if (!code && !count)
        code = INVALID_ARGUMENT;
    for (int i = 0; !code && i < call.gpu->process_count; i++) {
        const struct process *process = &call.gpu->processes[i];
        if (holds(process->from_s, process->to_s, call.t_s)) {
            if (processes && found < *count)
                processes[found] = (struct process_info){process->pid, process->bytes, UINT32_MAX, UINT32_MAX};
            found++;
        }
    }
    if (!code) {
        code = found > *count ? INSUFFICIENT_SIZE : SUCCESS;
        *count = found;
    }
    return end(&call, code);
}

int nvmlDeviceGetComputeRunningProcesses_v2(const void *device, unsigned *count, struct process_info *processes) {
    return nvmlDeviceGetComputeRunningProcesses_v3(device, count, processes);
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(const void *device, unsigned *count, struct process_info *processes) {
    (void)processes;
    ANSWER(device, count, SUCCESS, 0);
}

int nvmlDeviceGetGraphicsRunningProcesses_v2(const void *device, unsigned *count, struct process_info *processes) {
    return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, processes);
}

/* ---- Energy and power ---- */

int nvmlDeviceGetTotalEnergyConsumption(const void *device, unsigned long long *millijoules) {
    ANSWER(device, millijoules, energy_code(call.gpu, call.t_s), counter_mj(call.gpu, call.t_s));
}

static unsigned mean_power_mw(const struct gpu *gpu, double t_s) {
    return power_mw(gpu, t_s, gpu->power_period_s, gpu->power_window_s);
}

int nvmlDeviceGetPowerUsage(const void *device, unsigned *milliwatts) {
    ANSWER(device, milliwatts, power_code(call.gpu, call.t_s), mean_power_mw(call.gpu, call.t_s));
}

static unsigned limit_mw(const struct gpu *gpu, double t_s) {
    return rounded(value_at(&gpu->power_limit_w, t_s) * 1e3);
}

/* The limit before anybody changes it. */
static unsigned default_limit_mw(const struct gpu *gpu) { return limit_mw(gpu, -INFINITY); }

int nvmlDeviceGetPowerManagementLimit(const void *device, unsigned *milliwatts) {
    ANSWER(device, milliwatts, setting_code(call.gpu, call.t_s), limit_mw(call.gpu, call.t_s));
}

/* The limit, unless something else on the machine holds the GPU lower. */
int nvmlDeviceGetEnforcedPowerLimit(const void *device, unsigned *milliwatts) {
    ANSWER(device, milliwatts, setting_code(call.gpu, call.t_s),
           call.gpu->enforced_limit_w < 0 ? limit_mw(call.gpu, call.t_s) : rounded(call.gpu->enforced_limit_w * 1e3));
}

int nvmlDeviceGetPowerManagementDefaultLimit(const void *device, unsigned *milliwatts) {
    ANSWER(device, milliwatts, setting_code(call.gpu, call.t_s), default_limit_mw(call.gpu));
}

int nvmlDeviceGetPowerManagementLimitConstraints(const void *device, unsigned *lowest, unsigned *highest) {
    struct call call;
    int code = begin(&call, device);
    if (!code && !(lowest && highest))
        code = INVALID_ARGUMENT;
    if (!code) {
        *highest = default_limit_mw(call.gpu);
        *lowest = *highest < LOWEST_LIMIT_W * 1e3 ? *highest : rounded(LOWEST_LIMIT_W * 1e3);
    }
    return end(&call, code);
}

struct field {
    unsigned id, scope;
    long long timestamp_us, latency_us;
    int type, code;
    union {
        unsigned number;
        unsigned long long large;
    } value;
};

static void answer_field(const struct gpu *gpu, double t_s, struct field *field) {
    field->type = VALUE_UNSIGNED_INT;
    field->value.large = 0;
    if (field->scope) { /* of a module, or of memory alone: the whole GPU is all there is */
        field->code = NOT_SUPPORTED;
    } else if (field->id == FIELD_ENERGY) {
        field->type = VALUE_UNSIGNED_LONG_LONG;
        field->code = energy_code(gpu, t_s);
        if (!field->code)
            field->value.large = counter_mj(gpu, t_s);
    } else if (field->id == FIELD_POWER_AVERAGE || field->id == FIELD_POWER_INSTANT) {
        field->code = power_code(gpu, t_s);
        if (!field->code)
            field->value.number = field->id == FIELD_POWER_AVERAGE
                                      ? mean_power_mw(gpu, t_s)
                                      : power_mw(gpu, t_s, gpu->instant_period_s, gpu->instant_window_s);
    } else {
        field->code = NOT_SUPPORTED;
    }
}

int nvmlDeviceGetFieldValues(const void *device, int count, struct field *fields) {
    struct call call;
    int code = begin(&call, device);
    if (!code && (count < 1 || !fields))
        code = INVALID_ARGUMENT;
    for (int i = 0; !code && i < count; i++) {
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        fields[i].timestamp_us = (long long)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
        fields[i].latency_us = 0;
        answer_field(call.gpu, call.t_s, &fields[i]);
    }
    return end(&call, code);
}

/* ---- What common tools ask besides, and complain about if it is not there ---- */

/* Only the device is looked at, whatever else such a call is given. */
#define ALWAYS(function, answer)                                                                                       \
    int function(const void *device) {                                                                                 \
        struct call call;                                                                                              \
        int code = begin(&call, device);                                                                               \
        return end(&call, code ? code : (answer));                                                                     \
    }

ALWAYS(nvmlDeviceGetDecoderUtilization, NOT_SUPPORTED)
ALWAYS(nvmlDeviceGetEncoderUtilization, NOT_SUPPORTED)
ALWAYS(nvmlDeviceGetFanSpeed, NOT_SUPPORTED)
ALWAYS(nvmlDeviceGetProcessUtilization, NOT_SUPPORTED)
ALWAYS(nvmlDeviceGetSamples, NOT_SUPPORTED)
ALWAYS(nvmlDeviceGetTotalEccErrors, NOT_SUPPORTED)
ALWAYS(nvmlDeviceSetGpuLockedClocks, NO_PERMISSION)
ALWAYS(nvmlDeviceSetMemoryLockedClocks, NO_PERMISSION)
ALWAYS(nvmlDeviceSetPersistenceMode, NO_PERMISSION)
ALWAYS(nvmlDeviceSetPowerManagementLimit, NO_PERMISSION)
