package bot

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Kind is one way into a platform, "webhook", "app", "aibot" …: the adapter's own word.
type Kind string

// Adapter is one chat platform as the core sees it. It never retries, sleeps, schedules or reads subscriptions: the outbox
// owns all of that.
type Adapter interface {
	// Name is the stable key in config, Redis keys and metric labels.
	Name() string
	// Kinds lists the kinds of channel the adapter can post to, its default first.
	Kinds() []Kind
	// Capabilities of one kind of channel. Fixed after construction, never blocks.
	Capabilities(kind Kind) Capabilities
	// Split cuts msg into parts that each fit one post of that kind. It is pure: a retry resumes at the part that failed.
	Split(kind Kind, msg Message) []Message
	// Send posts one part to dst, once. It is safe for concurrent use, keeps no reference to p, and returns soon after ctx
	// ends. What it writes it does not begin to write once ctx is fenced (see Fenced). A non-nil error is always a *SendError.
	Send(ctx context.Context, dst Channel, p Post) (Receipt, error)
}

// Post is one part of one Delivery. Key is the same for every attempt: it goes wherever the platform has a place for it
// (Slack metadata, DingTalk msgUuid, webhook-id). First is the receipt of part 1, so that later parts can be threaded under it.
type Post struct {
	Key         string
	Part, Parts int // Part counts from 1
	First       Receipt
	Message     Message
}

// Receipt is the platform's proof of a post (its message id); "" when the platform gives none.
type Receipt string

// Capabilities are the platform's published limits. Zero means no limit.
type Capabilities struct {
	MaxBytes      int           // one post, in UTF-8 bytes after escaping
	MaxRunes      int           // one text element, in code points
	MaxTotalRunes int           // all text of one post
	MaxBlocks     int           // layout blocks in one post
	MinGap        time.Duration // between two posts to the same Channel
	WorkspaceGap  time.Duration // between two posts to the same Workspace, from all replicas together
	// WorkspaceWindow is over how long the platform counts posts to a Workspace; 0 = not known, as short as the gap. In a longer one a late post does no harm.
	WorkspaceWindow time.Duration
	TotalGap        time.Duration // between any two posts, from all replicas together: they may share an address
	Markdown        bool          // false: digests arrive as plain text
	Idempotent      bool          // the platform refuses a second post with the same Key
}

// Previewer shows the exact request bodies of a post, without sending it.
type Previewer interface {
	// Preview returns the bodies of one part, as JSON.
	Preview(kind Kind, p Post) ([]byte, error)
}

// Finder can find out whether a post arrived, after its answer was lost.
type Finder interface {
	// Find looks for p in dst, posted at or after since. found is only meaningful with a nil error.
	Find(ctx context.Context, dst Channel, p Post, since time.Time) (r Receipt, found bool, err error)
}

// Recaller can take back what was posted.
type Recaller interface {
	// Recall deletes the post that r proves. Nil also says that it was gone already. A non-nil error is always a *SendError.
	Recall(ctx context.Context, dst Channel, r Receipt) error
}

// Messenger can speak to one person alone.
type Messenger interface {
	// Direct is the channel of a member, as a Subscription's By names them: "<adapter>:<workspace>/<member>". ok is false where the bot cannot
	// begin to speak to that person. It does no I/O.
	Direct(workspace, member string) (ch Channel, ok bool)
}

// Checker tries the adapter's credentials without posting anything.
type Checker interface {
	// Check returns one line per credential tried.
	Check(ctx context.Context) []Checked
}

// Checked is the result of trying one thing an operator configured.
type Checked struct {
	What string // "adapters.wecom.apps[0] (corp ww1, agent 1000002)"
	Err  error  // nil: works. Holds no secret and says what to do.
}

// Toolbox is an adapter with subcommands of its own: `weeklybot slack manifest`.
type Toolbox interface {
	// Tools lists them. It does no network I/O; a Tool may.
	Tools() []Tool
}

// Tool is one subcommand of a platform. What Run writes to out is its result; an error says what to do.
type Tool struct {
	Name string // "manifest"
	Help string // one sentence
	Run  func(ctx context.Context, args []string, out io.Writer) error
}

// A Listener dials out to hear. Listen reconnects by itself and blocks until ctx ends.
type Listener interface {
	Listen(ctx context.Context, in Inbox) error
}

// A Hook serves everything below /<name>/. It checks signature and age before it calls in.
type Hook interface {
	Hook(in Inbox) http.Handler
}

// Inbox is where verified input goes. Errors are for the operator only.
type Inbox interface {
	// Command answers one command. The Message is what the member is to see, also when the command was wrong; with an error the
	// Message says that something went wrong, and is still to be shown.
	Command(ctx context.Context, cmd Command) (Message, error)
	// Event takes note of a change on the platform.
	Event(ctx context.Context, ev Event) error
}

// Completer is an Inbox that knows what a member may be about to type, for platforms whose forms ask while someone types.
type Completer interface {
	// CompleteTopic names up to n topics that typed may become, best first, in lang. It looks in memory only.
	CompleteTopic(typed, lang string, n int) []string
}

// EventKind says what happened on a platform.
type EventKind string

const (
	EventChannelGone     EventKind = "channel_gone"     // archived, disbanded, deleted
	EventChannelMoved    EventKind = "channel_moved"    // the address changed: NewAddress
	EventChannelRenamed  EventKind = "channel_renamed"  // only the shown name changed: NewName
	EventBotRemoved      EventKind = "bot_removed"      // the bot may no longer post there
	EventInstallRevoked  EventKind = "install_revoked"  // the whole workspace
	EventInstallRestored EventKind = "install_restored" // installed again, or seen to work: what was held goes on
	EventVote            EventKind = "vote"             // Member found Item useful or not
)

// Event is a change on a platform that the core must know.
type Event struct {
	ID         string // the platform's id of the event; the same when it is delivered again
	Kind       EventKind
	Channel    Channel // for EventInstallRevoked and EventInstallRestored only Adapter and Workspace
	NewAddress string
	NewName    string
	Member     Member // EventVote: who
	Item       string // EventVote: Block.Item of what was shown
	Vote       int    // EventVote: 1 useful, -1 not
	At         time.Time
}
