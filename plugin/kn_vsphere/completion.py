"""`kn vsphere completion`: scripts for shells, which ask the hidden command `__complete` for candidates.

The hidden command follows cobra's protocol: its arguments are the words so far, the last one unfinished. It prints a
candidate in each line, with a tab and a description, and at the end `:4`, or `:0` if the shell should complete files.
"""

from kn_vsphere import candidates
from kn_vsphere.call import Call

NO_FILES, FILES = ":4", ":0"

BASH = """\
# bash completion of kn-vsphere, and of `kn vsphere` where kn completes

_kn_vsphere_candidates() { # PROGRAM... -- WORD...: fills COMPREPLY
    local -a program=()
    while [ "$1" != -- ]; do program+=("$1"); shift; done
    shift
    local last=${*: -1} line name
    local -a lines=()
    mapfile -t lines < <("${program[@]}" @COMMAND@ "$@" 2> /dev/null)
    [ "${#lines[@]}" -gt 0 ] || return
    [ "${lines[-1]}" != :0 ] || compopt -o default 2> /dev/null
    unset 'lines[-1]'
    COMPREPLY=()
    for line in "${lines[@]}"; do
        name=${line%%$'\\t'*}
        # A word is split at = and :, and only its last part is replaced.
        case $last in *=*) name=${name#"${last%%=*}="} ;; esac
        if [ "${#lines[@]}" -gt 1 ] && [ "$line" != "${line#*$'\\t'}" ]; then
            COMPREPLY+=("$name  (${line#*$'\\t'})")
        else
            COMPREPLY+=("$name")
        fi
    done
}

_kn_vsphere_words() { # FIRST: the words from FIRST to the cursor in `words`, with --flag=value as one word
    words=()
    local position word
    for ((position = $1; position <= COMP_CWORD; position++)); do
        word=${COMP_WORDS[position]}
        if [ "$word" = = ] && [ "${#words[@]}" -gt 0 ]; then
            words[-1]+==
        elif [ "${#words[@]}" -gt 0 ] && [[ ${words[-1]} == --*= ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
}

_kn_vsphere() {
    local -a words
    _kn_vsphere_words 1
    _kn_vsphere_candidates "${COMP_WORDS[0]}" -- "${words[@]}"
}
complete -F _kn_vsphere kn-vsphere

_kn_with_vsphere() {
    local -a words
    if [ "${COMP_WORDS[1]}" = vsphere ] && [ "$COMP_CWORD" -gt 1 ]; then
        _kn_vsphere_words 2
        _kn_vsphere_candidates "${COMP_WORDS[0]}" vsphere -- "${words[@]}"
    elif declare -F __start_kn > /dev/null; then
        __start_kn "$@"
    fi
}
complete -o default -F _kn_with_vsphere kn
"""

ZSH = """\
#compdef kn-vsphere
# zsh completion of kn-vsphere

_kn-vsphere() {
    local line directive name
    local -a lines names
    lines=("${(@f)$("${words[1]}" @COMMAND@ "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    directive=${lines[-1]}
    lines[-1]=()
    for line in $lines; do
        name=${line%%$'\\t'*}
        name=${name//:/\\\\:}
        if [[ $line == *$'\\t'* ]]; then names+=("$name:${line#*$'\\t'}"); else names+=("$name"); fi
    done
    if (( $#names )); then
        _describe 'kn-vsphere' names
    elif [[ $directive == :0 ]]; then
        _files
    fi
}

if [ "$funcstack[1]" = _kn-vsphere ]; then
    _kn-vsphere
else
    compdef _kn-vsphere kn-vsphere
fi
"""

FISH = """\
# fish completion of kn-vsphere, and of `kn vsphere`

function __kn_vsphere_candidates
    set -l program $argv
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1..(count $program)]
    set -l lines ($program @COMMAND@ $words 2> /dev/null)
    set -q lines[1]; or return
    if test "$lines[-1]" = :0
        __fish_complete_path (commandline -ct)
    end
    set -e lines[-1]
    printf '%s\\n' $lines
end

complete -c kn-vsphere -f -a '(__kn_vsphere_candidates kn-vsphere)'
complete -c kn -n '__fish_seen_subcommand_from vsphere' -f -a '(__kn_vsphere_candidates kn vsphere)'
"""

POWERSHELL = """\
# PowerShell completion of kn-vsphere

Register-ArgumentCompleter -Native -CommandName 'kn-vsphere', 'kn-vsphere.exe' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -le $cursorPosition } |
        ForEach-Object { $_.ToString() })
    $program = $words[0]
    $arguments = @($words | Select-Object -Skip 1)
    if ($wordToComplete -eq '') {
        # PowerShell before 7.3 drops an empty argument unless it is quoted twice.
        $arguments += if ($PSVersionTable.PSVersion -lt [version]'7.3.0') { '""' } else { '' }
    }
    & $program @COMMAND@ @arguments 2> $null | Where-Object { $_ -notmatch '^:\\d+$' } | ForEach-Object {
        $name, $description = $_ -split "`t", 2
        if (-not $description) { $description = $name }
        [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $description)
    }
}
"""


def bash(call: Call) -> None:
    """Print the script for bash."""
    _print(call, BASH)


def zsh(call: Call) -> None:
    """Print the script for zsh."""
    _print(call, ZSH)


def fish(call: Call) -> None:
    """Print the script for fish."""
    _print(call, FISH)


def powershell(call: Call) -> None:
    """Print the script for PowerShell."""
    _print(call, POWERSHELL)


def complete(call: Call, with_descriptions: bool = True) -> None:
    """Print the candidates for the last one of the arguments."""
    result = candidates.of(call)
    for name, description in result.items:
        call.print(f"{name}\t{description}" if description and with_descriptions else name)
    call.print(FILES if result.files else NO_FILES)


def complete_without_descriptions(call: Call) -> None:
    """Print the candidates alone."""
    complete(call, with_descriptions=False)


def _print(call: Call, script: str) -> None:
    command = "__completeNoDesc" if call.flags.is_set("no-descriptions") else "__complete"
    call.out.write(script.replace("@COMMAND@", command))
