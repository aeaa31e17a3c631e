package slack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// What happens while a member fills in the form: topics are looked for, and the first digest is shown below.

const (
	// maxSuggested is how many topics are shown for what was typed. Slack takes 100; over a socket all must fit in 20 KiB.
	maxSuggested = 20
	// maxOptionText is the longest text of an option. Source: docs.slack.dev, option object, read 2026-11.
	maxOptionText = 75
)

// topicsElement is the field of topics: Slack asks for suggestions as the member types.
func topicsElement(chosen []string, example *slack.TextBlockObject) slack.BlockElement {
	e := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal, example, fieldTopics)
	soonest, most := 1, maxTopics // one Han character is a word
	e.MinQueryLength, e.MaxSelectedItems = &soonest, &most
	for _, topic := range chosen {
		if topic = clip(apihttp.CleanText(topic), maxOptionText); topic != "" {
			e.InitialOptions = append(e.InitialOptions, slack.NewOptionBlockObject(topic, plain(topic), nil))
		}
	}
	return e
}

// options is the answer to a block_suggestion.
type options struct {
	Options []*slack.OptionBlockObject `json:"options"`
}

// suggestions are the topics that the core knows for what was typed, and last what was typed as it is: the core says beside the field what
// it does not know.
func suggestions(in bot.Inbox, it interaction) options {
	all := options{Options: []*slack.OptionBlockObject{}}
	typed := clip(oneWord(it.Value), maxOptionText-widestAsTyped)
	if it.View.CallbackID != viewSubscribe || it.ActionID != fieldTopics || typed == "" {
		return all
	}
	lang := readVenue(it.View.Metadata).Lang
	var names []string
	if core, ok := in.(bot.Completer); ok {
		names = core.CompleteTopic(typed, lang, maxSuggested)
	}
	for _, name := range names {
		if runes(name) <= maxOptionText && len(all.Options) < maxSuggested {
			all.Options = append(all.Options, slack.NewOptionBlockObject(name, plain(name), nil))
		}
	}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, typed) }) {
		all.Options = append(all.Options, slack.NewOptionBlockObject(typed, plain(typed+inLang(lang, "（照写）", " (as typed)")), nil))
	}
	return all
}

// widestAsTyped is how long what stands behind a typed text can be.
const widestAsTyped = 20

// changed shows below the form what the first digest would be now. Of changes that come fast the newest is shown.
func (a *Adapter) changed(ctx context.Context, in bot.Inbox, it interaction) {
	where := readVenue(it.View.Metadata)
	if where.Channel == "" || len(it.Actions) == 0 || !a.drafts.newest(it.View.ID, it.Actions[0].ActionTS) {
		return
	}
	msg, err := a.run(ctx, in, a.clicked(it, where, formCommand("/preview", it.View.State.Values)))
	if err != nil {
		return // it is logged, and the form works without
	}
	var chosen []string
	for _, option := range it.View.State.Values[fieldTopics][fieldTopics].SelectedOptions {
		chosen = append(chosen, option.Value)
	}
	view := form(where, chosen, previewBlocks(msg, where.Lang))
	for _, hash := range []string{it.View.Hash, ""} {
		if !a.drafts.newest(it.View.ID, it.Actions[0].ActionTS) {
			return
		}
		stale := false
		a.show(ctx, it.workspace(), "views.update", func(api *slack.Client) error {
			_, err := api.UpdateViewContext(ctx, view, "", hash, it.View.ID)
			refused, ok := errors.AsType[slack.SlackErrorResponse](err)
			if stale = ok && refused.Err == "hash_conflict" && hash != ""; stale {
				return nil // the preview of the change before came in between
			}
			return err
		})
		if !stale {
			return
		}
	}
}

// previewBlocks are the first part of msg, without what can be clicked.
func previewBlocks(msg bot.Message, lang string) []slack.Block {
	const kind = KindWebhook // no menus, no buttons of ours
	parts := split(kind, msg.WithoutImage())
	blocks := append([]slack.Block{slack.NewDividerBlock()}, render(kind, bot.Post{Part: 1, Parts: 1, Message: parts[0]}).Blocks...)
	if len(parts) > 1 {
		cut := slack.NewTextBlockObject(slack.MarkdownType, inLang(lang, "预览到此为止，摘要还有后续。", "The preview ends here, the digest goes on."), false, false)
		blocks = append(blocks, slack.NewContextBlock("", cut))
	}
	if validateView(blocks) != nil {
		return nil
	}
	return blocks
}

// drafts knows the newest change of each form that is being filled in.
type drafts struct {
	mu    sync.Mutex
	views map[string]string // view → action_ts
}

// maxDrafts bounds what is remembered of forms; beyond it all are forgotten, and an older preview may stand until the next change.
const maxDrafts = 1000

// newest is false when a change of the form after ts is known.
func (d *drafts) newest(view, ts string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.views == nil || len(d.views) >= maxDrafts {
		d.views = make(map[string]string)
	}
	if ts < d.views[view] {
		return false
	}
	d.views[view] = ts
	return true
}
