//go:build !linux

package load

import "errors"

func newSystemWaiter() (Waiter, error) {
	return nil, errors.New("create system waiter: this system has none")
}
