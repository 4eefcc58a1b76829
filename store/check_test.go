package store

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// The years of the message are the first and the last that are accepted as a whole.
func TestTimesThatCanBeStored(t *testing.T) {
	for at, want := range map[time.Time]bool{
		time.Date(-6059, 1, 1, 0, 0, 0, 0, time.UTC):               true,
		time.Date(-6061, 12, 31, 0, 0, 0, 0, time.UTC):             false,
		time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC): true,
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC):               false,
		time.Unix(1<<62, 0): false,
		{}:                  true,
	} {
		err := checkTime("time", at)
		if (err == nil) != want {
			t.Errorf("%s: error is %v", at, err)
		}
		if err != nil && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "the years -6059 to 9999")) {
			t.Errorf("%s: error is %v", at, err)
		}
	}
}
