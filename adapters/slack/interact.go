package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/slack-go/slack"

	"weeklybot/bot"
)

// interaction is what Slack reports of a click or a form, as far as we read it. Our own, since the library's type fails on a message with
// a block that it does not know.
type interaction struct {
	Type        string     `json:"type"`
	TriggerID   string     `json:"trigger_id"`
	ResponseURL bot.Secret `json:"response_url"`
	Team        struct {
		ID string `json:"id"`
	} `json:"team"` // null for some installs of an organization
	Enterprise struct {
		ID string `json:"id"`
	} `json:"enterprise"`
	ForEnterprise bool `json:"is_enterprise_install"`
	User          struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	Channel struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channel"`
	Container struct {
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Actions []struct {
		ActionID string `json:"action_id"`
		ActionTS string `json:"action_ts"`
		Value    string `json:"value"`
		Selected struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	} `json:"actions"`
	ActionID string `json:"action_id"` // block_suggestion
	Value    string `json:"value"`     // block_suggestion: what was typed so far
	View     struct {
		ID         string `json:"id"`
		Hash       string `json:"hash"`
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]field `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// Identities of our own buttons and views. What a button does stands in its value: a command, as a member would type it, and the core
// decides whether whoever clicks may.
const (
	actionMore      = "more" // pages replace each other
	actionBack      = "back"
	actionDo        = "do-" // with a number; in App Home
	actionSubscribe = "subscribe"
	viewSubscribe   = "subscribe"
	viewAnswer      = "answer"
	viewHome        = "home"
)

// interacted serves /slack/interactions. Only the signed body counts, never the query.
func (a *Adapter) interacted(w http.ResponseWriter, r *http.Request, body []byte, in bot.Inbox) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	var it interaction
	if err := r.ParseForm(); err != nil || json.Unmarshal([]byte(r.PostForm.Get("payload")), &it) != nil {
		http.Error(w, "malformed interaction: want a form with payload", http.StatusBadRequest)
		return
	}
	a.interact(context.WithoutCancel(r.Context()), in, it, r.Header.Get(headerSignature), httpReply(w))
}

// interact does what was clicked or submitted. fallbackID names the interaction if Slack gave it no trigger. A click is acknowledged
// first, the work comes after.
func (a *Adapter) interact(ctx context.Context, in bot.Inbox, it interaction, fallbackID string, first reply) {
	if it.TriggerID == "" {
		it.TriggerID = fallbackID
	}
	if it.Type == "view_submission" && it.View.CallbackID == viewSubscribe {
		a.submitted(ctx, in, it, first)
		return
	}
	if it.Type == "block_suggestion" {
		first(suggestions(in, it), false)
		return
	}
	first(nil, it.Type == "block_actions")
	if it.Type != "block_actions" || it.workspace() == "" || it.User.ID == "" {
		return
	}
	if it.View.CallbackID == viewSubscribe {
		a.changed(ctx, in, it)
		return
	}
	for _, action := range it.Actions {
		switch id, value := action.ActionID, action.Value; {
		case id == actionVote:
			a.voted(ctx, in, it, action.Selected.Value)
		case value == "" || len(value) > maxButtonValue || value[0] != '/': // a link, or none of ours
		case id == actionSubscribe:
			a.openForm(ctx, it.workspace(), it.TriggerID, it.venue(langIn(value)), topicsIn(value))
		case it.View.CallbackID == viewHome:
			a.clickedHome(ctx, in, it, value)
			return
		case id == actionMore || id == actionBack:
			a.turn(ctx, in, it, value)
			return
		}
	}
}

// voted tells the core what a member thinks of an item, and the member that it is noted.
func (a *Adapter) voted(ctx context.Context, in bot.Inbox, it interaction, value string) {
	vote, lang, item, ok := readVote(value)
	if !ok {
		return
	}
	answer := say(inLang(lang, "谢谢，已记下：这条有用。以后的排序会参考。", "Thank you. It counts as useful when items are ranked."))
	if vote < 0 {
		answer = say(inLang(lang, "谢谢，已记下：这条没用。以后的排序会参考。", "Thank you. It counts as not useful when items are ranked."))
	}
	ctx, cancel := context.WithTimeout(ctx, commandLife)
	defer cancel()
	cmd := a.clicked(it, it.venue(""), "")
	if err := in.Event(ctx, bot.Event{ID: it.TriggerID, Kind: bot.EventVote, Channel: cmd.Channel, Member: cmd.Member, Item: item, Vote: vote, At: cmd.At}); err != nil {
		a.log.ErrorContext(ctx, "vote not noted", "adapter", Name, "workspace", cmd.Channel.Workspace, "err", err)
		answer = broken
	}
	if it.ResponseURL == "" {
		return
	}
	all := responses(answer, "")
	all[0].ThreadTS = it.Container.ThreadTS
	a.deliver(ctx, cmd, it.ResponseURL, all)
}

// turn shows another page: in the place of the one before if only the member sees it, else beside it, for the member alone.
func (a *Adapter) turn(ctx context.Context, in bot.Inbox, it interaction, text string) {
	if it.Channel.ID == "" || it.ResponseURL == "" {
		return
	}
	cmd := a.clicked(it, it.venue(""), text)
	msg, _ := a.run(ctx, in, cmd)
	msg.Public = false
	all := responses(msg, text)
	all[0].ReplaceOriginal = it.Container.IsEphemeral
	for k := range all {
		all[k].ThreadTS = it.Container.ThreadTS
	}
	a.deliver(ctx, cmd, it.ResponseURL, all)
}

// workspace is the install that the interaction belongs to.
func (it interaction) workspace() string {
	return workspaceOf(cmp.Or(it.Team.ID, it.User.TeamID), it.Enterprise.ID, it.ForEnterprise)
}

// workspaceOf names an install: that of a team, or of a whole organization.
func workspaceOf(team, enterprise string, forEnterprise bool) string {
	if forEnterprise && enterprise != "" {
		return enterprise
	}
	return team
}

// clicked is a command that a member gave by a click.
func (a *Adapter) clicked(it interaction, where venue, text string) bot.Command {
	return bot.Command{
		ID: it.TriggerID, Text: text, At: a.now(),
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: it.workspace(), Address: where.Channel, Name: where.Name},
		Member:  bot.Member{ID: it.User.ID, Name: it.User.Name, Lang: where.Lang},
	}
}

// venue is where a view belongs to; it travels in the view's private metadata, which only Slack and we see.
type venue struct {
	Channel string `json:"c"`
	Name    string `json:"n,omitempty"`
	Lang    string `json:"l,omitempty"`
	Reply   string `json:"r,omitempty"` // response URL, for what all may see
	Home    bool   `json:"h,omitempty"` // opened from App Home
}

// venue is where an interaction happened.
func (it interaction) venue(lang string) venue {
	where := venue{Channel: it.Channel.ID, Name: it.Channel.Name, Reply: it.ResponseURL.Reveal()}
	if it.View.ID != "" {
		where = readVenue(it.View.Metadata)
	}
	if lang != "" {
		where.Lang = lang
	}
	return where
}

func readVenue(metadata string) (where venue) {
	_ = json.Unmarshal([]byte(metadata), &where)
	return where
}

func (p venue) metadata() string {
	text, err := encode(p)
	if err != nil || len(text) > maxPrivateMetadata {
		p.Reply, p.Name = "", ""
		text, _ = encode(p)
	}
	return string(text)
}

// button is one of ours.
func button(id, label, value string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(id, value, plain(clip(label, maxButtonText)))
}

// in chooses a text by language; without one both are said.
func inLang(lang, zh, en string) string {
	switch lang {
	case "zh":
		return zh
	case "en":
		return en
	}
	return zh + " · " + en
}
