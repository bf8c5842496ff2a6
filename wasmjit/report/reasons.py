"""The one table of deopt reasons and details. The report, `wasmjit report`, the dashboard and docs/deopts.md take their texts from here.

`python -m wasmjit.report.reasons` prints docs/deopts.md.
"""

from __future__ import annotations

import sys

from wasmjit.data import dataclass

COUNTED_REASONS = ("unknown", "interpreter_fallback", "guard_failed", "unsupported_operation", "missing_thunk")
"""Reasons with a counter `jit_deopt_reason_*` in the report, in its order."""


@dataclass(frozen=True, slots=True)
class Reason:
    """`kind`: bailout (never compiled) or deopt (compiled code was left)."""

    reason: str
    kind: str
    message: str
    explanation: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Detail:
    """`pattern`: the whole detail, or a prefix when it ends with `:` (what follows is the operation, site ...). `reason`: the reason it occurs with."""

    pattern: str
    reason: str
    message: str
    explanation: str
    remedy: str

    def matches(self, detail: str) -> bool:
        return detail.startswith(self.pattern) if self.pattern.endswith(":") else detail == self.pattern


REASONS: dict[str, Reason] = {
    r.reason: r
    for r in (
        Reason(
            "missing_thunk", "bailout", "There is no compiled code for this process.",
            "The body could be compiled, but the compile policy did not: it was too cold or the budget was spent. It runs in the interpreter; results are the same.",
            "Lower --jit-hot-threshold or raise --jit-compile-budget (-1: unlimited).",
        ),
        Reason(
            "unsupported_operation", "bailout", "The body holds an operation the compiler does not translate.",
            "The detail names the first such operation. The whole body runs in the interpreter, so one rare operation in a hot process costs all its speed.",
            "Move the operation out of the hot process, or report it: `wasmjit inspect DESIGN` lists every body that does not compile and why.",
        ),
        Reason(
            "guard_failed", "deopt", "Compiled code met a case it was not compiled for.",
            "The code was specialised for what had been seen so far (targets of an indirect call, absence of x and z, ...). A guard noticed that this no longer "
            "holds; the process goes on in the interpreter at the same point, and the governor decides whether to compile a more general version.",
            "None is needed if it happens a few times while a run warms up. A detail that repeats names what to make more regular.",
        ),
        Reason(
            "interpreter_fallback", "deopt", "The process was given back to the interpreter on request.",
            "Something outside the process asked for it: tracing of steps, a debugger, a forced deopt, or an observer of signals that compiled code keeps to itself.",
            "Drop the request (--trace, WASMJIT_FORCE_DEOPT, VPI watchers on inner signals) where speed matters.",
        ),
        Reason(
            "unknown", "deopt", "The reason was not recorded.",
            "wasmjit itself never records it; the key exists for reports of other tools.",
            "Look at the tool that wrote the report.",
        ),
    )
}  # fmt: skip

DETAILS: tuple[Detail, ...] = (
    Detail(
        "compile_budget_zero", "missing_thunk", "Compilation is switched off.",
        "--jit-compile-budget=0 allows no compilation at all.", "Remove the option, or give a budget above 0.",
    ),
    Detail(
        "compile_budget_exhausted", "missing_thunk", "The compile budget is spent.",
        "As many bodies as --jit-compile-budget allows have been compiled already.", "Raise --jit-compile-budget, or use -1 for no limit.",
    ),
    Detail(
        "below_hot_threshold", "missing_thunk", "The process has not run often enough.",
        "It was activated fewer times than --jit-hot-threshold asks for before compiling.", "Lower --jit-hot-threshold (1 compiles everything that runs).",
    ),
    Detail(
        "compile_failed:", "missing_thunk", "The compiler refused the body.",
        "Binaryen or wasmtime reported an error, or a limit on code size was hit; the text follows.", "Please report it: the body should compile.",
    ),
    Detail(
        "backed_off", "missing_thunk", "The code was left too often and is no longer entered.",
        "Its guards failed more often than the governor tolerates, so the process stays in the interpreter.",
        "Look at the guard_failed records of the same process: they name the guard.",
    ),
    Detail(
        "first_op:", "unsupported_operation", "The named operation is not translated.",
        "The first operation of the body (or of a function it calls) without a lowering.", "Avoid the operation in hot code, or report it.",
    ),
    Detail(
        "prewait_impure:", "unsupported_operation", "An operation with effects stands between loop head and wait.",
        "The named operation would be repeated or lost if the process resumed there.", "Move it behind the wait.",
    ),
    Detail(
        "empty_body_region", "unsupported_operation", "The process has no body.",
        "There is nothing to compile.", "Remove the empty process.",
    ),
    Detail(
        "trivial_thunk:", "unsupported_operation", "The body is too small to be worth compiling.",
        "Recorded by other tools; wasmjit compiles such bodies.", "None is needed.",
    ),
    Detail(
        "call_indirect_target_guard:target_set_changed:", "guard_failed", "An indirect call met a new target.",
        "The code was specialised for the targets seen before. The site is named after `site=`; its profile stands in jit_call_indirect_sites.",
        "None is needed once: the site becomes polymorphic, then generic. Warm up all targets early if it repeats.",
    ),
    Detail(
        "call_indirect_target_guard:profile_missing:", "guard_failed", "An indirect call has no profile.",
        "The code was compiled before the site was first executed.", "Raise --jit-hot-threshold so that the site is seen before compilation.",
    ),
    Detail(
        "call_indirect_target_guard:invalid_site:", "guard_failed", "The site of an indirect call is unknown.",
        "Code and profile do not belong together.", "Clear the disk cache (--jit-cache-policy=memory) and report it.",
    ),
    Detail(
        "vtable_shape:", "guard_failed", "An object has a vtable of another shape than the code expects.",
        "The class named after `:` was not among those seen when the code was specialised.", "None is needed: the next version covers it.",
    ),
    Detail(
        "unknown_bits:", "guard_failed", "A two-state fast path met x or z.",
        "Code compiled for known values found unknown bits in the named signal; the four-state version takes over until they are gone.",
        "Reset or initialise the signal; x in the first cycles of a run is normal.",
    ),
    Detail(
        "signal_encoding:", "guard_failed", "A signal is kept in another form than the code expects.",
        "The named signal changed its encoding after the code was compiled.", "None is needed: the code is compiled again.",
    ),
    Detail(
        "step_limit_reached", "guard_failed", "The process does not stop.",
        "It executed more steps in one activation than the limit allows, without reaching a wait.",
        "Look for a loop without delay; raise --max-process-steps if the work is real.",
    ),
    Detail(
        "resume_token_mismatch", "guard_failed", "The frame does not belong to this version of the code.",
        "The resume token names a point the code does not have.", "Please report it.",
    ),
    Detail(
        "unexpected_resume_state", "guard_failed", "The process was resumed in a state the code does not know.",
        "Its wait state was changed from outside.", "Please report it.",
    ),
    Detail(
        "unexpected_waiting_state", "guard_failed", "The process waits for something else than the code expects.",
        "Its wait state was changed from outside.", "Please report it.",
    ),
    Detail(
        "call_stack_resume_failed", "guard_failed", "A suspended call could not be resumed.",
        "The chain of frames of the calls does not fit the code.", "Please report it.",
    ),
    Detail(
        "invalid_current_op_state", "guard_failed", "The point of execution is not in the body.",
        "The frame is damaged.", "Please report it.",
    ),
    Detail(
        "post_exec_not_halted_or_waiting", "guard_failed", "The code returned without waiting or halting.",
        "The status it returned is none of those a process may return.", "Please report it.",
    ),
    Detail(
        "forced", "guard_failed", "The deopt was asked for.",
        "--force-deopt (or WASMJIT_FORCE_DEOPT, CIRCT_SIM_JIT_FORCE_DEOPT_REQUEST) hands activations to the interpreter at resume points: the test that both tiers agree.",
        "Run without the flag and without the variable. Nothing in the design asks for it.",
    ),
    Detail(
        "foreign_watcher:", "interpreter_fallback", "Someone outside watches a signal that compiled code kept to itself.",
        "A VPI callback, a trace or a force on the named signal came after its process was merged into an island; the island was dissolved.",
        "Register watchers before the run starts, or on the island's outputs.",
    ),
    Detail(
        "forced_value:", "interpreter_fallback", "A signal the code computes is forced.",
        "While a force is active the named signal does not follow its drivers.", "None is needed: the code is entered again after the release.",
    ),
    Detail(
        "step_tracing", "interpreter_fallback", "Steps of the process are being traced.",
        "Tracing of single operations exists only in the interpreter.", "Switch the tracing off where speed matters.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Explanation:
    """Texts for one record: those of its detail where the table knows it, else those of its reason."""

    message: str
    explanation: str
    remedy: str


def find_detail(reason: str, detail: str) -> Detail | None:
    """Row of a detail: the longest pattern that matches, preferring one of this reason."""
    fitting = [d for d in DETAILS if d.matches(detail)]
    return max(fitting, key=lambda d: (d.reason == reason, len(d.pattern)), default=None)


def explain(reason: str, detail: str = "") -> Explanation:
    """What happened, why, and what to do, for any reason and detail (also unknown ones)."""
    row = find_detail(reason, detail) if detail else None
    base = REASONS.get(reason)
    if row is not None:
        return Explanation(row.message, row.explanation, row.remedy)
    if base is not None:
        return Explanation(base.message, base.explanation, base.remedy)
    return Explanation(reason.replace("_", " "), "This reason is not in wasmjit's table; another tool or version recorded it.", "")


def docs_markdown() -> str:
    """Text of docs/deopts.md."""
    lines = [
        "# Deopts and bailouts",
        "",
        "Generated by `python -m wasmjit.report.reasons`; a test keeps it up to date.",
        "",
        "A **bailout** is a process that was never compiled. A **deopt** is a process that left compiled code: *eager* when a guard failed in the code,",
        "*lazy* when valid code was given up from outside. Both run on in the interpreter, with the same results. Every such change is recorded:",
        "`--jit-report` lists them, `wasmjit report summarize` ranks them over many runs, `--jit-fail-on-deopt` makes them an error.",
        "",
    ]
    for reason in REASONS.values():
        lines += [f"## `{reason.reason}` ({reason.kind})", "", f"{reason.message} {reason.explanation}", "", f"*What to do:* {reason.remedy}", ""]
        rows = [d for d in DETAILS if d.reason == reason.reason]
        if rows:
            lines += ["| detail | meaning | what to do |", "|---|---|---|"]
            for row in rows:
                shown = f"{row.pattern}…" if row.pattern.endswith(":") else row.pattern
                lines.append(f"| `{shown}` | {row.message} {row.explanation} | {row.remedy} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(docs_markdown())
