package bot

import "time"

// Workspace names one installation of a platform.
type Workspace struct {
	Adapter string
	Name    string // Channel.Workspace
}

// WorkspaceOf is where c belongs; its name is "" where the platform has only one, that of a token in the configuration. ok is false for
// channels without one: a webhook stands for itself.
func WorkspaceOf(c Channel) (w Workspace, ok bool) {
	return Workspace{c.Adapter, c.Workspace}, c.Workspace != "" || c.Kind != "webhook"
}

// Ailment is why a channel is on probation or a workspace is held. It ends with the first post that arrives. It is stored as JSON.
type Ailment struct {
	Code   string    `json:"code"` // the platform's own
	Action Action    `json:"action,omitempty"`
	Since  time.Time `json:"since"`
	Text   string    `json:"text,omitempty"` // for the operator, what the adapter says of it; holds no secret
}

// Says is what people there can do about it, in zh or en.
func (a Ailment) Says(lang string) string {
	words, ok := advice[a.Action]
	if !ok {
		words = advice[""]
	}
	if lang == "en" {
		return words[1]
	}
	return words[0]
}

var advice = map[Action][2]string{
	"": {"这个位置似乎已经不在了。如果不再需要，请退订；否则请管理员看一看。",
		"This place seems to be gone. Unsubscribe if it is no longer needed; else ask an administrator to look."},
	AskInvite:   {"请把机器人重新加进来。", "Please add the bot here again."},
	AskAllow:    {"请允许机器人在这里发言（解除禁言、启用机器人，或给它发言的权限）。", "Please let the bot post here: unmute it, switch it on, or give it the right to."},
	AskSpeak:    {"请先在这里 @ 一次机器人，它才能发言。", "Please mention the bot here once; then it can post."},
	AskSettings: {"请检查机器人的安全设置（关键词、签名、IP 地址），建议用签名。", "Please check the robot's security settings (keyword, signature, addresses); a signature is best."},
}
