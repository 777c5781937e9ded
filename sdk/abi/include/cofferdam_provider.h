/* The C ABI between cofferdam's shim and a provider's library, version 1.
 *
 * A library exports one data symbol, `const cofferdam_provider_descriptor_v1 cofferdam_provider_v1`. The struct begins with version
 * and size, so that the shim decides whether it can talk to the library before it calls anything in it.
 *
 * Ownership and threads:
 *  - A cofferdam_slice is borrowed, valid until the function that it was passed to returns.
 *  - Answers are written into a cofferdam_sink, whose memory belongs to whoever passed it.
 *  - A descriptor that the host hands over belongs to the provider, which closes it.
 *  - `create` and `destroy` are called once. `bind`, `unbind`, `handle`, `health` and `shutdown` are called from several
 *    threads at once; `handle` at most `concurrency` times at once.
 *  - Every function of cofferdam_host_v1 may be called from any thread until `destroy` returns.
 *  - No function may unwind or longjmp across the boundary.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef COFFERDAM_PROVIDER_H
#define COFFERDAM_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COFFERDAM_ABI_VERSION 1u

/* Borrowed bytes. `ptr` may be NULL when `len` is 0. Text is UTF-8 without a terminating zero. */
typedef struct cofferdam_slice {
    const uint8_t *ptr;
    size_t len;
} cofferdam_slice;

/* Where a callee writes its answer, or its words when it fails. It belongs to the caller, lives until the function that
 * it was passed to returns, and is used by one thread at a time. */
typedef struct cofferdam_sink {
    void *context;
    /* Appends `bytes` bytes to the answer and returns where to write them, or NULL when the answer would exceed the
     * payload limit. The place is valid until the next call of `reserve` or the return of the function that the sink was
     * passed to. All of the bytes must be written. */
    uint8_t *(*reserve)(void *context, size_t bytes);
    /* Forgets all that was written, so that words of a failure can take the place of half an answer. */
    void (*clear)(void *context);
} cofferdam_sink;

/* What became of what was asked for. Other numbers count as COFFERDAM_INTERNAL. */
typedef int32_t cofferdam_status;
#define COFFERDAM_OK 0          /* done; the sink holds the answer */
#define COFFERDAM_FAILED 1      /* the callee answered with an error; the sink holds its words */
#define COFFERDAM_PANICKED 2    /* the callee's code panicked */
#define COFFERDAM_DENIED 3      /* not granted, linked or authorized; asking again gives the same answer */
#define COFFERDAM_LATE 4        /* the deadline passed; whether the callee did it is unknown */
#define COFFERDAM_UNAVAILABLE 5 /* not delivered: the callee is absent, draining or full; may be tried again */
#define COFFERDAM_INVALID 6     /* an argument breaks the rules of this header, or a limit */
#define COFFERDAM_INTERNAL 7    /* the host or the shim is wrong */
#define COFFERDAM_CANCELLED 8   /* the caller gave the call up */

/* A call to an actor. Borrowed until the function that it is passed to returns, which has copied it by then. */
typedef struct cofferdam_request {
    cofferdam_slice actor;     /* public key of an actor that is linked to this provider */
    cofferdam_slice operation; /* such as "HandleRequest" */
    cofferdam_slice payload;
    uint64_t deadline_ns;      /* CLOCK_MONOTONIC; the host may have a stricter limit */
} cofferdam_request;

typedef uint32_t cofferdam_access;
#define COFFERDAM_READ 0u  /* look only */
#define COFFERDAM_WRITE 1u /* look, create, change and remove */

typedef uint32_t cofferdam_level;
#define COFFERDAM_ERROR 0u
#define COFFERDAM_WARN 1u
#define COFFERDAM_INFO 2u
#define COFFERDAM_DEBUG 3u

/* A queue of calls to actors whose ends are told by a descriptor. */
typedef struct cofferdam_completions cofferdam_completions;

/* The host's functions. Each may be called from any thread until `destroy` returns. A sink holds the answer on
 * COFFERDAM_OK, and the reason, for people, on every other status. */
typedef struct cofferdam_host_v1 {
    uint32_t abi_version; /* COFFERDAM_ABI_VERSION */
    uint32_t size;        /* sizeof(cofferdam_host_v1) as the shim was compiled: functions beyond it are absent */
    void *context;        /* handed back to every function that asks for it */
    uint64_t payload_bytes_max; /* answers and arguments that are longer are refused */

    /* Calls an actor and blocks until its answer, or the deadline. */
    cofferdam_status (*call)(void *context, const cofferdam_request *request, cofferdam_sink *reply);

    /* Makes a queue for calls that don't block. One per event loop; NULL when there can't be another: no
     * descriptor is left, or the process has 16, which is the most. The host's log says which. */
    cofferdam_completions *(*completions_create)(void *context);
    /* The queue's descriptor: readable while a completion waits. It belongs to the queue; poll it, don't read it. A
     * completion that comes into an empty queue makes a new edge: whoever polls for edges (EPOLLET) calls
     * `completions_next` until it returns 0. */
    int32_t (*completions_fd)(const cofferdam_completions *queue);
    /* Begins a call and returns without waiting. On COFFERDAM_OK exactly one completion with `token` will come, by the
     * deadline; on any other status none will, and the sink holds why. */
    cofferdam_status (*call_start)(cofferdam_completions *queue, uint64_t token, const cofferdam_request *request,
                                   cofferdam_sink *why);
    /* Gives the call up: its completion comes at once, as COFFERDAM_CANCELLED if it had not ended. An unknown token is
     * no error. */
    void (*call_cancel)(cofferdam_completions *queue, uint64_t token);
    /* Takes the oldest completion: 1 when there was one, 0 when the queue is empty. */
    uint32_t (*completions_next)(cofferdam_completions *queue, uint64_t *token, cofferdam_status *status,
                                 cofferdam_sink *reply);
    /* Frees the queue. Its calls are given up; no other function may be using it. */
    void (*completions_destroy)(cofferdam_completions *queue);

    /* Asks for a listening TCP socket on `address` ("127.0.0.1:8080", "[::]:80"); port 0 is any free one. On COFFERDAM_OK
     * `fd` is a non-blocking, close-on-exec socket that now belongs to the provider. */
    cofferdam_status (*listen)(void *context, cofferdam_slice address, int32_t *fd, cofferdam_sink *why);
    /* Asks for a connected TCP socket to `address` ("redis.example:6379"); the host resolves the name. */
    cofferdam_status (*connect)(void *context, cofferdam_slice address, uint64_t deadline_ns, int32_t *fd,
                                cofferdam_sink *why);
    /* Asks for a directory that was granted under `name`. Every provider has one of its own, named "state", that survives
     * its restarts. Paths below it are opened with openat. */
    cofferdam_status (*open_dir)(void *context, cofferdam_slice name, cofferdam_access access, int32_t *fd,
                                 cofferdam_sink *why);
    /* Asks for a file that was granted under `name`. */
    cofferdam_status (*open_file)(void *context, cofferdam_slice name, cofferdam_access access, int32_t *fd,
                                  cofferdam_sink *why);
    /* Writes one line to the host's log under the provider's identity. Lines are bounded, and dropped and counted when
     * they come faster than the host takes them. Never blocks. */
    void (*log)(void *context, cofferdam_level level, cofferdam_slice line);
} cofferdam_host_v1;

/* One setting of a link. Names that begin with "__wasmcloud_" are the host's own. A value may be a secret: never log it. */
typedef struct cofferdam_value {
    cofferdam_slice name;
    cofferdam_slice value;
} cofferdam_value;

/* A link between an actor and this provider. */
typedef struct cofferdam_link {
    cofferdam_slice actor;         /* public key */
    const cofferdam_value *values; /* NULL on unbind */
    size_t value_count;
} cofferdam_link;

/* One call to the provider. Everything in it lives until `handle` returns. */
typedef struct cofferdam_call {
    uint32_t size;              /* sizeof(cofferdam_call) as the shim was compiled: fields beyond it are absent */
    uint32_t reserved;          /* zero */
    uint64_t id;                /* names the call in logs; unique within this process */
    cofferdam_slice actor;      /* the calling actor's public key, vouched for by the host */
    cofferdam_slice operation;  /* such as "Get" */
    cofferdam_slice payload;
    uint64_t deadline_ns;       /* when the caller stops waiting: CLOCK_MONOTONIC */
    const uint32_t *cancelled;  /* atomic: turns from 0 to 1 when the caller has gone; answers are dropped then */
} cofferdam_call;

/* The library's face. Immutable. */
typedef struct cofferdam_provider_descriptor_v1 {
    uint32_t abi_version;  /* COFFERDAM_ABI_VERSION */
    uint32_t size;         /* sizeof(cofferdam_provider_descriptor_v1) as the library was compiled */
    cofferdam_slice name;  /* name and version, for people: "keyvalue 0.1.0" */
    uint32_t concurrency;  /* how many `handle` may run at once, at least 1; the host never sends more */
    uint32_t reserved;     /* zero */

    /* Makes the provider; called once, before anything else, on a thread that lives until `destroy`. Stores what the other
     * functions get as `context`. `host` lives until `destroy` returns. On failure the sink holds why, and nothing else
     * is called. */
    cofferdam_status (*create)(const cofferdam_host_v1 *host, void **context, cofferdam_sink *why);
    /* An actor was linked: COFFERDAM_OK accepts, COFFERDAM_FAILED rejects with the reason in the sink. The same link may
     * be bound again, with the same values or others, and that is the same bind. `handle` may be called for the actor as
     * soon as this has returned. */
    cofferdam_status (*bind)(void *context, const cofferdam_link *link, cofferdam_sink *why);
    /* The link is gone; an unknown one is no error. Calls of that actor in flight may still end. */
    cofferdam_status (*unbind)(void *context, const cofferdam_link *link);
    /* Answers one call, on a thread that it may block until the call's deadline. */
    cofferdam_status (*handle)(void *context, const cofferdam_call *call, cofferdam_sink *reply);
    /* COFFERDAM_OK when healthy, COFFERDAM_FAILED with the reason when not. Must answer within a second. */
    cofferdam_status (*health)(void *context, cofferdam_sink *why);
    /* No new calls will come: take none from the world either, end what is in flight by the deadline (CLOCK_MONOTONIC, in
     * ns), return when there is nothing left to wait for. */
    cofferdam_status (*shutdown)(void *context, uint64_t deadline_ns);
    /* Frees the provider. No other function runs or will be called. */
    void (*destroy)(void *context);
} cofferdam_provider_descriptor_v1;

#ifdef __cplusplus
}
#endif

#endif /* COFFERDAM_PROVIDER_H */
