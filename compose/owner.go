package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
)

// ownerID names this process among all that ever ran here: a mark of the
// machine and its process namespace, a mark of the boot, the process id, and
// when the process began. What it starts elsewhere, such as a container, is
// labelled with it.
func ownerID() string {
	pid := os.Getpid()
	start, err := processStart(pid)
	if err != nil {
		start = "0"
	}
	return placeMark() + "." + bootMark() + "." + strconv.Itoa(pid) + "." + start
}

// ownerAlive says whether the process of an ownerID may still run. Of another
// machine or process namespace it cannot be told, and the answer is yes, so
// that nobody takes away what is not theirs. A text that is no ownerID is
// nobody.
func ownerAlive(id string) bool {
	parts := strings.Split(id, ".")
	if len(parts) != 4 {
		return false
	}
	pid, err := strconv.Atoi(parts[2])
	if err != nil {
		return false
	}
	if parts[0] != placeMark() {
		return true
	}
	return parts[1] == bootMark() && runs(pid, parts[3])
}

// runs says whether a process lives that has this id and began at start.
func runs(pid int, start string) bool {
	got, err := processStart(pid)
	return err == nil && got == start
}

// mark shortens texts to a label that stands for them.
func mark(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hex.EncodeToString(sum[:4])
}
