// The program that pods of the tests run: it says what it really sees.
//
//	witness run WHAT...   reports, until SIGTERM
//	witness tell SIGNAL   sends the container's main process crash (exit 1), finish (exit 0)
//	witness pause         holds a pod's namespaces
//
// A WHAT with a leading slash is a file, or a directory with all files below it; any other is an
// environment variable. Standard output gets a line of JSON at the start, with the variables and the
// files, and one whenever the files have changed. What does not exist is left out.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How often the files are read again.
const interval = 100 * time.Millisecond

// One line of the report.
type line struct {
	Time  string            `json:"time"`
	Env   map[string]string `json:"env,omitempty"`
	Files map[string]string `json:"files"`
}

var orders = map[string]syscall.Signal{"crash": syscall.SIGUSR1, "finish": syscall.SIGUSR2}

func main() {
	arguments := append(os.Args[1:], "", "")
	switch arguments[0] {
	case "run":
		run(os.Args[2:])
	case "tell":
		tell(arguments[1])
	case "pause":
		<-signals(syscall.SIGINT, syscall.SIGTERM)
	default:
		fail(fmt.Errorf("unknown command %q", arguments[0]))
	}
}

func run(what []string) {
	ended := signals(syscall.SIGTERM, orders["crash"], orders["finish"])
	env := map[string]string{}
	var paths []string
	for _, name := range what {
		if strings.HasPrefix(name, "/") {
			paths = append(paths, name)
		} else if value, found := os.LookupEnv(name); found {
			env[name] = value
		}
	}
	seen := read(paths)
	report(line{Env: env, Files: seen})
	for {
		select {
		case order := <-ended:
			if order == orders["crash"] {
				os.Exit(1)
			}
			return
		case <-time.After(interval):
			if now := read(paths); !maps.Equal(now, seen) {
				seen = now
				report(line{Files: seen})
			}
		}
	}
}

// read gives the contents of all files. A file that goes while it is read is not there.
func read(paths []string) map[string]string {
	files := map[string]string{}
	for _, path := range paths {
		filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			// The kubelet's own: keys are links through ..data into a folder with a time as its name.
			if strings.HasPrefix(entry.Name(), "..") {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if content, err := os.ReadFile(file); err == nil {
				files[file] = string(content)
			}
			return nil
		})
	}
	return files
}

func report(seen line) {
	seen.Time = time.Now().UTC().Format(time.RFC3339Nano)
	text, err := json.Marshal(seen)
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
}

func tell(order string) {
	sign, known := orders[order]
	if !known {
		fail(fmt.Errorf("unknown order %q", order))
	}
	if err := syscall.Kill(1, sign); err != nil {
		fail(err)
	}
}

func signals(wanted ...os.Signal) <-chan os.Signal {
	received := make(chan os.Signal, 1)
	signal.Notify(received, wanted...)
	return received
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "witness:", err)
	os.Exit(2)
}
