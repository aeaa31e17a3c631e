package command

import (
	"context"
	"time"

	"weeklybot/bot"
)

// langSeen is the language of a channel's subscriptions when it was last looked up.
type langSeen struct {
	lang string // "" when nothing is subscribed
	at   time.Time
}

// langFresh is how long a channel's language is believed without asking the store again.
const langFresh = time.Minute

// langWithin is how long an answer waits for the store to tell the channel's language.
const langWithin = 300 * time.Millisecond

// language is that of the answer as far as the words of the command do not tell: the member's, else the channel's, else the bot's.
func (r *Router) language(ctx context.Context, cmd bot.Command) string {
	if lang := language(cmd.Member.Lang); lang != "" {
		return lang
	}
	if hasHan(cmd.Text) {
		return "zh"
	}
	if lang := r.channelLang(ctx, cmd.Channel.ID()); lang != "" {
		return lang
	}
	return chooser(r.deps.Lang)("zh", "en")
}

// answerIn is the language of the answer: --lang comes before everything.
func (req request) answerIn(lang string) string {
	if req.lang != "" {
		return req.lang
	}
	return lang
}

// channelLang is the language of the channel's first subscription. A store that does not answer costs the language, not the answer.
func (r *Router) channelLang(ctx context.Context, id bot.ChannelID) string {
	if r.deps.Subs == nil {
		return ""
	}
	now := r.deps.Now()
	if seen, ok := r.langs.get(id); ok && now.Sub(seen.at) < langFresh {
		return seen.lang
	}
	ctx, cancel := context.WithTimeout(ctx, langWithin)
	defer cancel()
	subs, err := r.deps.Subs.List(ctx, id)
	seen := langSeen{at: now}
	if err != nil {
		r.deps.Log.Debug("language of a channel unknown", "channel", id.String(), "err", err)
	} else if len(subs) > 0 {
		seen.lang = subs[0].Lang
	}
	r.langs.put(id, seen)
	return seen.lang
}
