package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
)

const completionHelp = `Write a script that teaches a shell to complete marina's commands, flags and the
names of clusters, pools, operations and versions.

  bash  source <(marina completion bash)               in ~/.bashrc; needs bash-completion
  zsh   source <(marina completion zsh)                in ~/.zshrc, after compinit
  fish  marina completion fish > ~/.config/fish/completions/marina.fish`

func newCompletion() *cobra.Command {
	cmd := group("completion", "Write a script for a shell's completion")
	cmd.Long = completionHelp
	scripts := map[string]func(*cobra.Command, io.Writer) error{
		"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  (*cobra.Command).GenZshCompletion,
		"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
	for shell, write := range scripts {
		cmd.AddCommand(&cobra.Command{
			Use:                   shell,
			Short:                 "The script for " + shell,
			Args:                  arguments.None,
			DisableFlagsInUseLine: true,
			RunE:                  func(cmd *cobra.Command, _ []string) error { return write(cmd.Root(), cmd.OutOrStdout()) },
		})
	}
	return withoutGlobalFlags(cmd)
}
