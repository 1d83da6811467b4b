package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/commands.md")

const referenceFile = "../../docs/commands.md"

// TestTheReferenceIsUpToDate compares docs/commands.md with the command tree.
func TestTheReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	text := reference()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(referenceFile)
	if err != nil || string(have) != text {
		t.Errorf("%s is out of date; run make generate (%v)", referenceFile, err)
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, c := range commands(root(streams{})) {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.UseLine(), strings.TrimSuffix(c.Short, "."))
		if c.Long != "" {
			b.WriteString("\n" + c.Long + "\n")
		}
		if c.Example != "" {
			b.WriteString("\n```sh\n" + strings.ReplaceAll(c.Example, "\n  ", "\n")[2:] + "\n```\n")
		}
		flags(&b, c)
	}
	b.WriteString(referenceFoot)
	return b.String()
}

// commands are those that do something, in the order of the tree.
func commands(c *cobra.Command) (list []*cobra.Command) {
	for _, sub := range c.Commands() {
		if sub.HasSubCommands() {
			list = append(list, commands(sub)...)
			continue
		}
		sub.DisableFlagsInUseLine = true
		list = append(list, sub)
	}
	return list
}

func flags(b *strings.Builder, c *cobra.Command) {
	if !c.LocalFlags().HasFlags() {
		return
	}
	b.WriteString("\n| Flag | |\n|---|---|\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "` " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			name += " " + kind
		}
		if d := f.DefValue; d != "" && d != "0" && d != "0s" && d != "false" && d != "[]" {
			usage += " (default " + d + ")"
		}
		fmt.Fprintf(b, "| %s | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
}

const referenceHead = `# Commands

Generated from the command tree by ` + "`make generate`" + `. The target is always a URL, and topics and filters are written alike for every protocol:
levels with ` + "`/`" + ` between them, ` + "`+`" + ` for one level, a last ` + "`#`" + ` for all that follow, ` + "`$queue/NAME`" + ` for a queue.

| Scheme | Port | | Scheme | Port |
|---|---|---|---|---|
| ` + "`mqtt`" + ` | 1883 | | ` + "`coap`" + ` | 5683 udp |
| ` + "`ws`" + ` (path ` + "`/mqtt`" + ` or ` + "`/stomp`" + `) | 8083 | | ` + "`stomp`" + ` | 61613 |
| ` + "`mqttsn`" + ` | 1884 udp | | ` + "`amqp`" + ` | 5672 |

Messages are printed on stdout, everything else on stderr.
`

const referenceFoot = `
## Exit codes

| Exit | Meaning |
|---|---|
| 0 | done; ` + "`-C`" + ` reached |
| 1 | failed for another reason; an import that could not translate everything |
| 2 | usage: an unknown flag, a missing argument, a URL or value that does not parse, something the protocol cannot say |
| 3 | the configuration is not valid, a port is taken, a file cannot be read |
| 4 | connection refused, host unknown, no answer |
| 5 | login refused |
| 6 | denied by a rule, or the topic is not valid there |
| 27 | ` + "`-W`" + ` elapsed before ` + "`-C`" + ` messages |
| 130 | interrupted |

## Templates of ` + "`sub -F`" + `

` + "`%t`" + ` topic, ` + "`%p`" + ` payload, ` + "`%q`" + ` QoS, ` + "`%r`" + ` retained, ` + "`%l`" + ` length, ` + "`%m`" + ` number, ` + "`%I`" + ` ISO time, ` + "`%U`" + ` Unix time,
` + "`%j`" + ` JSON, ` + "`%J`" + ` JSON with the payload parsed, ` + "`%x` `%X`" + ` hexadecimal, ` + "`%C`" + ` content type, ` + "`%D`" + ` correlation, ` + "`%E`" + ` expiry,
` + "`%R`" + ` response topic, ` + "`%P`" + ` headers, ` + "`%{protocol}` `%{client}` `%{header:NAME}`" + `; flags ` + "`-`" + ` and ` + "`0`" + `, a width and a ` + "`.maximum`" + ` before the letter;
` + "`@Y-@m-@d @H:@M:@S.@N`" + ` time; ` + "`\\n \\t \\0 \\e \\\\`" + `.
`
