"""Coverage-guided fuzzing: atheris looks for inputs that reach code which none has reached, through the tests here.

`python -m tests.fuzz.guided TEST [OPTION...]`, with libFuzzer's options; without TEST their names. It goes on until it
finds something, or until -max_total_time=SECONDS or -runs=NUMBER.
"""

import sys

import atheris

with atheris.instrument_imports(include=["pyinit"]):
    from tests.fuzz import test_accounts, test_files, test_starts

# Those that start no process: a thousand examples a second, and each is seen by the interpreter that runs it.
TARGETS = {
    test.__name__: test
    for test in (
        test_accounts.test_what_is_matched_once_matches,
        test_accounts.test_any_text_names_somebody_or_is_one_clear_line,
        test_files.test_any_secret_files_are_their_values_or_one_clear_line,
        test_files.test_any_variable_that_names_a_file_is_replaced_or_one_clear_line,
        test_files.test_what_is_written_to_a_journal_is_read_back,
        test_starts.test_any_command_line_is_settings_or_one_clear_line,
        test_starts.test_any_rewriting_rule_is_two_signals_or_one_clear_line,
        test_starts.test_any_journal_is_drawn_or_one_clear_line,
    )
}


def main() -> None:
    if sys.argv[1:2] == [] or sys.argv[1] not in TARGETS:
        sys.exit("\n".join(["usage: python -m tests.fuzz.guided TEST [OPTION...]; TEST is one of", *TARGETS]))
    # From the first input on some are long: hypothesis makes much of few bytes, but nothing of too few.
    options = [sys.argv[0], "-len_control=0", "-max_len=8192", *sys.argv[2:]]
    atheris.Setup(options, TARGETS[sys.argv[1]].hypothesis.fuzz_one_input)  # type: ignore[attr-defined]
    atheris.Fuzz()


if __name__ == "__main__":
    main()
