"""`kn vsphere completion`."""

from kn_vsphere.grammar import Command, Flag, Kind

INSTALL = {
    "bash": "# Now\nsource <(kn-vsphere completion bash)\n\n# In every shell\n"
    "kn-vsphere completion bash > ~/.local/share/bash-completion/completions/kn-vsphere",
    "zsh": '# In every shell, if "autoload -U compinit; compinit" is in ~/.zshrc\n'
    'kn-vsphere completion zsh > "${fpath[1]}/_kn-vsphere"',
    "fish": "# In every shell\nkn-vsphere completion fish > ~/.config/fish/completions/kn-vsphere.fish",
    "powershell": "# Now. Put the line into $PROFILE for every shell\n"
    "kn-vsphere completion powershell | Out-String | Invoke-Expression",
}
NO_DESCRIPTIONS = Flag("no-descriptions", "disable completion descriptions", Kind.BOOL)


def _command(shell: str) -> Command:
    return Command(
        shell,
        f"Generate the autocompletion script for {shell}",
        run=f"completion:{shell}",
        flags=(NO_DESCRIPTIONS,),
        examples=INSTALL[shell],
    )


GROUP = Command(
    "completion",
    "Generate the autocompletion script for the specified shell",
    commands=tuple(_command(shell) for shell in INSTALL),
    long="Generate the autocompletion script for the specified shell. Names come from the cluster.",
)
