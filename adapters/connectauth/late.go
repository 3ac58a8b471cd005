package connectauth

// mostLate bounds the handlers of an Auth that run on though their stream has ended: no
// limit of net/http's counts them. It is more than a mass revocation needs, because what
// heeds its context or its stream is gone in a moment and makes room for the next.
const mostLate = 256

// late are those handlers.
type late chan struct{}

// leave returns when there is room for one more, or its handler has ended.
func (l late) leave(r *run) {
	select {
	case <-r.done:
		return
	default:
	}
	select {
	case <-r.done:
	case l <- struct{}{}:
		go func() {
			<-r.done
			<-l
		}()
	}
}
