"""What the Tab key completes: scripts for bash, zsh and fish, made from the parsers of the command line themselves.

Each script follows the verbs typed so far ("phantom uw-madison") and offers what may come next: verbs and kinds,
options, the values of options that have few, file names where a file is wanted.
"""

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SHELLS = ("bash", "zsh", "fish")
NAME = "monai-gi"


class Option(NamedTuple):
    """One option of a verb.

    Attributes:
        names: as they are typed, such as ("-h", "--help").
        help: one line.
        takes_value: a word follows it.
        choices: values that it takes; none where they are not counted.
        is_path: its value is a file or folder.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]
    is_path: bool


class Command(NamedTuple):
    """What may follow some verbs.

    Attributes:
        words: the verbs typed so far; none at first.
        below: verbs or kinds that may follow, each with its help.
        options: all of them.
        takes_paths: words that are no options are files or folders.
        choices: words that are no options, where they are counted.
    """

    words: tuple[str, ...]
    below: tuple[tuple[str, str], ...]
    options: tuple[Option, ...]
    takes_paths: bool
    choices: tuple[str, ...]


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Write the script that teaches a shell the command line.

    Args:
        parser: of all verbs.
        shell: one of SHELLS.

    Returns:
        The script; its first lines say where it goes.

    Raises:
        ValueError: the shell is unknown.
    """
    writers: dict[str, Callable[[Sequence[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    if shell not in writers:
        raise ValueError(f"shell: {shell!r}, wanted {', '.join(SHELLS)}")
    return writers[shell](list(commands(parser)))


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[Command]:
    """Walk the tree of parsers.

    Args:
        parser: of the verbs typed so far.
        words: those verbs.

    Yields:
        Command: for the parser itself, then for all below it.
    """
    actions = parser._actions
    options = tuple(_option(action) for action in actions if action.option_strings)
    others = [action for action in actions if not action.option_strings]
    groups = [action for action in others if isinstance(action, argparse._SubParsersAction)]
    below = tuple((one.dest, _line(one.help)) for group in groups for one in group._choices_actions)
    counted = tuple(str(value) for action in others if action not in groups for value in action.choices or ())
    yield Command(words, below, options, any(action.type is Path for action in others), counted)
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*words, name))


def _option(action: argparse.Action) -> Option:
    return Option(
        tuple(action.option_strings),
        _line(action.help),
        action.nargs != 0,
        tuple(str(value) for value in action.choices or ()),
        action.type is Path,
    )


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("%%", "%").split())


def _bash(found: Sequence[Command]) -> str:
    values = [
        f"        {_pattern(one, option)}) {_bash_values(option)}; return ;;"
        for one in found
        for option in one.options
        if option.takes_value
    ]
    # What stands in no case is completed as a file name, by `-o default`.
    words = [
        f"        {shlex.quote(' '.join(one.words))}) words={shlex.quote(' '.join(_words(one)))} ;;" for one in found
    ]
    guard = "|".join(shlex.quote(" ".join(one.words)) for one in found if one.takes_paths)
    return f"""# {NAME} for bash. Into ~/.bashrc:  eval "$({NAME} completion bash)"
_monai_gi() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} chosen="" words="" i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$chosen ${{COMP_WORDS[i]}}" in
            {_steps(found)}) chosen="${{chosen:+$chosen }}${{COMP_WORDS[i]}}" ;;
        esac
    done
    case "$chosen $previous" in
{_joined(values)}
    esac
    case "$chosen" in
        {guard}) [[ $word == -* ]] || return ;;
    esac
    case "$chosen" in
{_joined(words)}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _monai_gi {NAME}
"""


def _bash_values(option: Option) -> str:
    return f'COMPREPLY=($(compgen -W {shlex.quote(" ".join(option.choices))} -- "$word"))' if option.choices else ":"


def _zsh(found: Sequence[Command]) -> str:
    values = [
        f"        {_pattern(one, option)}) {_zsh_values(option)}; return ;;"
        for one in found
        for option in one.options
        if option.takes_value
    ]
    described = [f"        {shlex.quote(' '.join(one.words))}) found=({' '.join(_described(one))}) ;;" for one in found]
    guard = "|".join(shlex.quote(" ".join(one.words)) for one in found if one.takes_paths)
    return f"""#compdef {NAME}
# {NAME} for zsh. Into ~/.zshrc, after compinit:  eval "$({NAME} completion zsh)"
_monai_gi() {{
    local chosen="" i
    local -a found
    for ((i = 2; i < CURRENT; i++)); do
        case "$chosen ${{words[i]}}" in
            {_steps(found)}) chosen="${{chosen:+$chosen }}${{words[i]}}" ;;
        esac
    done
    case "$chosen ${{words[CURRENT-1]}}" in
{_joined(values)}
    esac
    case "$chosen" in
        {guard}) [[ ${{words[CURRENT]}} == -* ]] || {{ _files; return; }} ;;
    esac
    case "$chosen" in
{_joined(described)}
    esac
    _describe {NAME} found
}}
compdef _monai_gi {NAME}
"""


def _zsh_values(option: Option) -> str:
    if option.choices:
        return f"compadd -- {' '.join(map(shlex.quote, option.choices))}"
    return "_files" if option.is_path else ":"


def _described(one: Command) -> list[str]:
    """`name:help` of everything that may follow, colons in names and quotes escaped."""
    pairs = [*one.below, *((value, "") for value in one.choices)]
    pairs += [(name, option.help) for option in one.options for name in option.names]
    return [shlex.quote(f"{name.replace(':', chr(92) + ':')}:{text}" if text else name) for name, text in pairs]


def _fish(found: Sequence[Command]) -> str:
    lines = [line for one in found for line in _fish_lines(one)]
    steps = " ".join(_fish_quote(" ".join(("", *one.words)) if len(one.words) == 1 else " ".join(one.words))
                     for one in found if one.words)  # fmt: skip
    return f"""# {NAME} for fish:  {NAME} completion fish > ~/.config/fish/completions/{NAME}.fish
function __monai_gi_at
    set -l chosen ""
    set -l typed (commandline -opc)
    for word in $typed[2..]
        switch "$chosen $word"
            case {steps}
                set chosen (string trim -- "$chosen $word")
        end
    end
    test "$chosen" = "$argv"
end
complete -c {NAME} -f
{chr(10).join(lines)}
"""


def _fish_lines(one: Command) -> Iterator[str]:
    start = f"complete -c {NAME} -n {_fish_quote(' '.join(('__monai_gi_at', *one.words)))}"
    for name, text in one.below:
        yield f"{start} -a {_fish_quote(name)} -d {_fish_quote(text)}"
    if one.choices:
        yield f"{start} -a {_fish_quote(' '.join(one.choices))}"
    if one.takes_paths:
        yield f"{start} -F"
    for option in one.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        yield f"{start} {names}{_fish_value(option)} -d {_fish_quote(option.help)}"


def _fish_value(option: Option) -> str:
    if option.choices:
        return f" -x -a {_fish_quote(' '.join(option.choices))}"
    if not option.takes_value:
        return ""
    return " -r -F" if option.is_path else " -x"


def _fish_quote(text: str) -> str:
    """In single quotes, where fish knows two escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _words(one: Command) -> list[str]:
    return [*(name for name, _ in one.below), *one.choices, *(name for option in one.options for name in option.names)]


def _steps(found: Sequence[Command]) -> str:
    """Patterns of "verbs so far, next word" for all verbs and kinds; before the first verb stands nothing."""
    return "|".join(shlex.quote(f"{' '.join(one.words[:-1])} {one.words[-1]}") for one in found if one.words)


def _pattern(one: Command, option: Option) -> str:
    return "|".join(shlex.quote(f"{' '.join(one.words)} {name}") for name in option.names)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)
