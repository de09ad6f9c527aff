// Writes a container image that holds one static program, as an archive that `ctr images import`
// reads: image ARCHIVE NAME:TAG PROGRAM ARGUMENTS... The program lies in the image's root.
package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: image ARCHIVE NAME:TAG PROGRAM ARGUMENTS"))
	}
	archive, name, program, arguments := os.Args[1], os.Args[2], os.Args[3], os.Args[4:]
	content, err := os.ReadFile(program)
	if err != nil {
		fail(err)
	}
	if err := os.WriteFile(archive, image(name, filepath.Base(program), content, arguments), 0o644); err != nil {
		fail(err)
	}
}

// image lays an archive out as `docker save` does.
func image(name, program string, content []byte, arguments []string) []byte {
	layer := pack(entry{program, 0o755, content})
	digest := fmt.Sprintf("%x", sha256.Sum256(layer))
	config := encode(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": append([]string{"/" + program}, arguments...)},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	id := fmt.Sprintf("%x.json", sha256.Sum256(config))
	manifest := encode([]any{map[string]any{
		"Config":   id,
		"RepoTags": []string{name},
		"Layers":   []string{digest + "/layer.tar"},
	}})
	return pack(entry{id, 0o644, config}, entry{digest + "/layer.tar", 0o644, layer}, entry{"manifest.json", 0o644, manifest})
}

type entry struct {
	name    string
	mode    int64
	content []byte
}

func pack(entries ...entry) []byte {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, entry := range entries {
		header := tar.Header{Name: entry.name, Mode: entry.mode, Size: int64(len(entry.content))}
		if err := writer.WriteHeader(&header); err != nil {
			fail(err)
		}
		if _, err := writer.Write(entry.content); err != nil {
			fail(err)
		}
	}
	if err := writer.Close(); err != nil {
		fail(err)
	}
	return buffer.Bytes()
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		fail(err)
	}
	return text
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "image:", err)
	os.Exit(1)
}
