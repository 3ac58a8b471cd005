package validator

import "time"

// times are those that are checked at each request.
type times struct {
	expiry, notBefore time.Time
	hasExpiry, hasNBF bool
}

func (c *claims) times() times {
	return times{c.token.expiry, c.token.notBefore, c.hasExpiry, c.hasNBF}
}

func (t times) check(now time.Time, skew time.Duration) error {
	if err := t.checkExpiry(now, skew); err != nil {
		return err
	}
	return t.checkNotBefore(now, skew)
}

func (t times) checkExpiry(now time.Time, skew time.Duration) error {
	if t.hasExpiry && !now.Before(t.expiry.Add(skew)) {
		return &Error{check: CheckExpiry, cause: &timeError{"expired", t.expiry, now}}
	}
	return nil
}

func (t times) checkNotBefore(now time.Time, skew time.Duration) error {
	if t.hasNBF && now.Before(t.notBefore.Add(-skew)) {
		return &Error{check: CheckNotBefore, cause: &timeError{"not before", t.notBefore, now}}
	}
	return nil
}

// timeError is put into words only if somebody reads it: expired tokens come in
// numbers.
type timeError struct {
	what    string
	at, now time.Time
}

func (e *timeError) Error() string {
	return e.what + " " + e.at.UTC().Format(time.RFC3339) + ", now " + e.now.UTC().Format(time.RFC3339)
}
