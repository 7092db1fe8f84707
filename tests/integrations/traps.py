"""The traps of the frameworks that purposeguard stands in, and the tests that each is kept by.

Each test runs the real framework. Continuous integration runs them all with the lowest versions on
the oldest Python, and with the newest versions on the newest.
"""

from typing import NamedTuple

CONTEXT = "hazards/test_c01_c13_context.py"
TIMING = "hazards/test_b15_b30_timing_and_context.py"
THREADS = "integrations/threads/test_executors.py"
ASGI = "integrations/asgi/test_asgi.py"
FASTAPI = "integrations/fastapi/test_fastapi.py"
FLASK = "integrations/flask/test_flask.py"
DJANGO = "integrations/others/test_django.py"
GRPC = "integrations/others/test_grpc.py"
FUZZED = "integrations/test_fuzzed_headers.py"
SQL = "integrations/sqlalchemy/test_sql"
ORM = f"{SQL}alchemy_orm.py"
CELERY = "integrations/celery/test_celery_"
OUTGOING = "integrations/tokens/test_outgoing.py"


class Trap(NamedTuple):
    """What goes wrong in a framework where nobody looks, and the tests that show it doesn't."""

    what: str
    tests: tuple[str, ...]


TRAPS = {
    "context": (
        Trap(
            "Tasks and `to_thread` copy the context; threads, pools and executors of loops don't.",
            (
                f"{CONTEXT}::test_c5_tasks_and_to_thread_carry_a_purpose_and_plain_threads_do_not",
                f"{THREADS}::test_a_thread_has_no_purpose_of_its_own",
                f"{THREADS}::test_carry",
                f"{THREADS}::test_the_executor",
                f"{THREADS}::test_the_executor_of_a_loop",
            ),
        ),
        Trap(
            "Threads may inherit their creator's context, as Python 3.14 lets them.",
            (f"{CONTEXT}::test_c13_a_thread_that_inherits_its_context_inherits_leases",),
        ),
        Trap(
            "OpenTelemetry's threading instrumentation carries its own context only.",
            (f"{THREADS}::test_opentelemetrys_threading_instrumentation",),
        ),
        Trap(
            "A block inside a generator leaks into whoever consumes it.",
            (
                f"{CONTEXT}::test_c1_a_block_around_yield_leaks_into_the_consumer",
                f"{CONTEXT}::test_c3_decorated_generators_interleave_and_keep_their_own_purpose",
            ),
        ),
        Trap(
            "A generator may be closed by another task or thread, or by the collector.",
            (
                f"{CONTEXT}::test_c2_an_abandoned_generator_leaves_no_purpose",
                f"{CONTEXT}::test_c4_a_decorated_async_generator_may_be_closed_anywhere",
                f"{CONTEXT}::test_c9_a_block_entered_and_left_by_other_threads_is_no_purpose_here",
            ),
        ),
        Trap(
            "Resetting a variable elsewhere raises into the user's code.",
            ("scopes/test_root_scopes.py::test_a_context_that_lacks_it_is_left_as_it_is",),
        ),
        Trap(
            "Processes carry nothing, and a forked one carries too much.",
            (
                f"{THREADS}::test_processes_carry_nothing",
                f"{TIMING}::test_b28_a_forked_child_has_no_purpose_of_its_parent",
            ),
        ),
    ),
    "ASGI, Starlette and FastAPI": (
        Trap(
            "`BaseHTTPMiddleware` runs the app in another task.",
            (f"{FASTAPI}::test_with_middleware_that_runs_the_app_in_another_task",),
        ),
        Trap(
            "A `def` dependency sets what the endpoint never sees, and its exit raises.",
            (
                f"{FASTAPI}::test_endpoints_of_both_kinds_see_the_purpose",
                f"{FASTAPI}::test_dependencies_see_the_purpose_too",
            ),
        ),
        Trap(
            "A context that a dependency has attached is taken back where FastAPI is traced.",
            (f"{FASTAPI}::test_a_purpose_inside_never_stands_alone",),
        ),
        Trap(
            "Dependencies end before a streamed body is sent, or after it, as versions have it.",
            (
                f"{FASTAPI}::test_streamed_bodies_keep_the_purpose",
                f"{FASTAPI}::test_background_tasks_keep_the_purpose",
                f"{FASTAPI}::test_websockets",
            ),
        ),
        Trap(
            "Routes are a tree in some versions and a list in others.",
            (
                f"{FASTAPI}::test_routes_and_what_declares_them",
                f"{FASTAPI}::test_the_document_says_what_each_operation_is_for",
            ),
        ),
        Trap(
            "Router and route both declare: the inner one has to win, and not to intersect.",
            (
                f"{FASTAPI}::test_the_nearest_declaration_wins",
                f"{ASGI}::test_routes_and_mounted_apps",
            ),
        ),
        Trap(
            "Requests at once share a loop, and a task may outlive its request.",
            (
                f"{FASTAPI}::test_requests_at_once_never_share_a_purpose",
                f"{FASTAPI}::test_the_purpose_dies_with_the_request",
            ),
        ),
        Trap(
            "The app has the raw function where a guard stands above the route.",
            (f"{FASTAPI}::test_a_guard_above_the_route_is_refused",),
        ),
    ),
    "Flask": (
        Trap(
            "A streamed body is made after teardown, which runs twice.",
            (
                f"{FLASK}::test_streamed_bodies_keep_the_purpose",
                f"{FLASK}::test_a_body_that_is_replaced_ends_the_purpose",
            ),
        ),
        Trap(
            "An abandoned stream leaves its context on the worker.",
            (f"{FLASK}::test_a_stream_that_nobody_reads_to_its_end",),
        ),
        Trap(
            "Async views run in another thread.",
            (f"{FLASK}::test_views_of_every_kind",),
        ),
        Trap(
            "A process may have several apps, and an extension must not hold on to one.",
            (f"{FLASK}::test_several_guards_and_several_apps",),
        ),
        Trap(
            "Hooks run outside the view.",
            (f"{FLASK}::test_hooks_around_the_view_have_no_purpose",),
        ),
    ),
    "Django": (
        Trap(
            "Under ASGI hooks run in threads of their own, and a view's context is copied back.",
            (f"{DJANGO}::test_a_view_has_its_purpose_and_leaves_none_behind",),
        ),
        Trap(
            "A streamed body is made after the middleware.",
            (
                f"{DJANGO}::test_a_streamed_body_has_the_purpose",
                f"{DJANGO}::test_a_stream_that_is_dropped_leaves_nothing_behind",
                f"{DJANGO}::test_the_naive_middleware_loses_a_streamed_body",
            ),
        ),
    ),
    "SQLAlchemy": (
        Trap(
            "No hook of the ORM sees entities, joined loads, text, flushes and Core alike.",
            (
                f"{ORM}::test_a_query_is_one_access_for_each_category",
                f"{ORM}::test_a_flush_stores",
                f"{ORM}::test_many_rows_are_one_access",
                f"{ORM}::test_savepoints_and_driver_sql",
                f"{SQL}_corpus.py::test_what_a_statement_touches_is_recorded_when_it_is_executed",
            ),
        ),
        Trap(
            "Lazy, deferred and refreshed columns are read when nobody looks.",
            (
                f"{ORM}::test_a_lazy_load_is_an_access",
                f"{ORM}::test_refresh_and_expiry_read_again",
                f"{ORM}::test_a_deferred_column_is_an_access_of_its_own_when_it_is_loaded",
            ),
        ),
        Trap(
            "What is loaded already is read without a statement.",
            (f"{ORM}::test_what_is_loaded_already_is_no_access",),
        ),
        Trap(
            "A statement that the parser can't read must not pass.",
            (
                f"{SQL}alchemy_denials.py::test_a_statement_that_cant_be_read_is_a_gap",
                f"{SQL}_reading.py::test_what_cant_be_parsed_is_hidden",
            ),
        ),
        Trap(
            "Async engines run their events in a greenlet.",
            (
                f"{SQL}alchemy_async.py::test_statements_are_accesses_at_the_line_that_awaits_them",
                f"{SQL}alchemy_async.py::test_tasks_keep_their_purposes_apart",
            ),
        ),
    ),
    "Celery": (
        Trap(
            "A retry publishes its task anew, from the worker.",
            (f"{CELERY}traps.py::test_a_retry_keeps_what_the_task_was_handed",),
        ),
        Trap(
            "So do the second task of a chain, a chord's body and callbacks.",
            (
                f"{CELERY}traps.py::test_all_of_a_chain_keeps_them",
                f"{CELERY}traps.py::test_all_of_a_group_and_a_chord_keeps_them",
                f"{CELERY}traps.py::test_error_callbacks_keep_them",
            ),
        ),
        Trap(
            "An eager task publishes nothing.",
            (f"{CELERY}eager.py::test_an_eager_task_has_its_callers_purposes",),
        ),
        Trap(
            "Whoever writes to the broker can claim a purpose.",
            (f"{CELERY}tokens.py::test_no_message_is_believed_that_no_trusted_issuer_has_signed",),
        ),
        Trap(
            "A worker's process goes on after its task.",
            (
                f"{CELERY}traps.py::test_nothing_is_left_in_a_workers_process",
                f"{CELERY}traps.py::test_the_chain_of_a_task_is_dead_afterwards",
                f"{CELERY}traps.py::test_threads_don_t_cross",
            ),
        ),
        Trap(
            "The worker has the raw function where a guard stands above the task.",
            (f"{CELERY}install.py::test_a_worker_with_a_raw_function_does_not_start",),
        ),
    ),
    "Between services": (
        Trap(
            "Anybody can send baggage or a header.",
            (
                f"{ASGI}::test_headers_are_nothing_without_a_trusted_issuer",
                f"{FUZZED}::test_no_purpose_is_taken_from_a_header_that_nobody_trusts",
            ),
        ),
        Trap(
            "An instrumented client tells every host, third parties and redirects included.",
            (
                f"{OUTGOING}::test_a_listed_host_is_told",
                f"{OUTGOING}::test_where_redirects_lead",
                f"{OUTGOING}::test_over_plain_http_nobody_is_told",
            ),
        ),
        Trap(
            "A client that is not instrumented tells none.",
            ("integrations/tokens/test_outgoing_otel.py::test_the_same_hosts_are_told",),
        ),
        Trap(
            "What a gRPC interceptor sets has no point at which it is reset.",
            (
                f"{GRPC}::test_a_wrapped_handler_has_its_purpose_and_leaves_none_behind",
                f"{GRPC}::test_the_naive_interceptor_never_ends_a_purpose",
            ),
        ),
    ),
}
