package bot

import "context"

type fenceKey struct{}

// WithFence lets whoever writes a post under ctx ask once more whether it may: over says that the shard may have another owner by now. over is called from
// any goroutine, at any time, also after the post has been given up.
func WithFence(ctx context.Context, over func() bool) context.Context {
	return context.WithValue(ctx, fenceKey{}, over)
}

// Fenced is ErrFenced once the fence of ctx is over. An adapter asks when a post is about to be written, and then does not write it: between Send and
// that moment a connection is made, and the process may have been stopped for longer than its lease. Without a fence it is nil.
func Fenced(ctx context.Context) error {
	if over, ok := ctx.Value(fenceKey{}).(func() bool); ok && over() {
		return ErrFenced
	}
	return nil
}
