package slack

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// homeOpened shows a member's Home tab: what their conversation with the bot has subscribed, and help.
func (a *Adapter) homeOpened(ctx context.Context, in bot.Inbox, s spoken) {
	if s.Event.Tab != "home" || s.Event.Channel == "" {
		return
	}
	a.publishHome(ctx, in, bot.Command{
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: s.workspace(), Address: s.Event.Channel, Name: directMessage},
		Member:  bot.Member{ID: s.Event.User}, At: a.now(),
	}, s.Event.View.Hash, nil)
}

// directMessage is what Slack calls the channel of a conversation with the bot.
const directMessage = "directmessage"

// clickedHome runs the command of a button in App Home, and shows what became of it.
func (a *Adapter) clickedHome(ctx context.Context, in bot.Inbox, it interaction, text string) {
	where := readVenue(it.View.Metadata)
	if where.Channel == "" {
		return
	}
	cmd := a.clicked(it, where, text)
	msg, _ := a.run(ctx, in, cmd)
	a.publishHome(ctx, in, cmd, it.View.Hash, &msg)
}

// publishHome shows the Home tab of who.Member. Hash is the state that was seen: if the tab has changed since, it is made again from what
// holds by then. news, if not nil, stands at the top.
func (a *Adapter) publishHome(ctx context.Context, in bot.Inbox, who bot.Command, hash string, news *bot.Message) {
	for _, hash := range []string{hash, ""} {
		view, err := a.home(ctx, in, who, news)
		if err != nil {
			a.log.ErrorContext(ctx, "App Home cannot be shown", "adapter", Name, "workspace", who.Channel.Workspace, "err", err)
			return
		}
		request := slack.PublishViewContextRequest{UserID: who.Member.ID, View: view}
		if hash != "" {
			request.Hash = &hash
		}
		stale := false
		a.show(ctx, who.Channel.Workspace, "views.publish", func(api *slack.Client) error {
			_, err := api.PublishViewContext(ctx, request)
			refused, ok := errors.AsType[slack.SlackErrorResponse](err)
			if stale = ok && refused.Err == "hash_conflict" && hash != ""; stale {
				return nil
			}
			return err
		})
		if !stale {
			return
		}
	}
}

// home asks the core, as the member would, and lays out the answers. These commands have no ID: each asks anew.
func (a *Adapter) home(ctx context.Context, in bot.Inbox, who bot.Command, news *bot.Message) (slack.HomeTabViewRequest, error) {
	ask := func(text string) bot.Message {
		who.ID, who.Text = "", text
		msg, _ := a.run(ctx, in, who)
		return msg
	}
	subs, help := ask("/subscriptions"), ask("/help")
	where := venue{Channel: who.Channel.Address, Name: who.Channel.Name, Lang: subs.Lang, Home: true}
	view := slack.HomeTabViewRequest{Type: slack.VTHomeTab, CallbackID: viewHome, PrivateMetadata: where.metadata()}
	view.Blocks.BlockSet = homeBlocks(subs, help, news)
	return view, validateView(view.Blocks.BlockSet)
}

// shownInHome is how many subscriptions have buttons there: two blocks each, and never near the limit of a view.
const shownInHome = 30

// maxHomeText is how much of one text is shown there: escaping cannot make it too long for a block.
const maxHomeText = 500

// homeBlocks are the blocks of a Home tab.
func homeBlocks(subs, help bot.Message, news *bot.Message) []slack.Block {
	s := sheet{kind: KindApp, join: joinNothing}
	if news != nil {
		s.put(aText, bold(clip(apihttp.CleanText(news.Title), maxLabel)))
		if title := news.Title; title == "" {
			s.put(aText, escape(clip(said(*news), maxLabel)))
		}
		s.line()
	}
	s.flush()
	s.title(clip(apihttp.CleanText(subs.Title), maxLabel), "")
	shown := 0
	for _, b := range subs.Blocks {
		m := numbered.FindStringSubmatch(b.Title)
		switch {
		case b.Kind == bot.BlockNote: // which commands to type: there are buttons
		case m == nil:
			s.put(aText, lines(clip(b.Text, maxHomeText)))
		case shown < shownInHome:
			shown++
			s.put(aText, emphasized(escape(b.Title), b.Title)+"\n"+lines(clip(b.Text, maxHomeText)))
			s.flush()
			s.blocks = append(s.blocks, subscriptionButtons(subs.Lang, m[1], b.Text))
		}
	}
	s.flush()
	s.blocks = append(s.blocks, slack.NewActionBlock("subscribe", subscribeButton(subs.Lang)))
	s.line()
	s.blocks = append(s.blocks, responses(help, "")[0].Blocks...)
	return s.blocks
}

// numbered is how the core names a subscription of the channel.
var numbered = regexp.MustCompile(`^#(\d{1,5})$`)

// subscriptionButtons are what can be done with subscription n. That it is paused stands in its text: how to go on.
func subscriptionButtons(lang, n, text string) slack.Block {
	toggle := button(actionDo+"1", inLang(lang, "暂停", "Pause"), "/pause "+n)
	if strings.Contains(text, "/resume "+n) {
		toggle = button(actionDo+"1", inLang(lang, "恢复", "Resume"), "/resume "+n)
	}
	stop := button(actionDo+"2", inLang(lang, "退订", "Unsubscribe"), "/unsubscribe "+n).WithStyle(slack.StyleDanger)
	stop.WithConfirm(slack.NewConfirmationBlockObject(
		plain(inLang(lang, "退订 #"+n, "Unsubscribe #"+n)), plain(inLang(lang, "之后不再送来。", "It will not come any more.")),
		plain(inLang(lang, "退订", "Unsubscribe")), plain(inLang(lang, "保留", "Keep it"))))
	return slack.NewActionBlock("subscription-"+n, toggle, stop)
}
