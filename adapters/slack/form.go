package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Blocks of the form, in their order; each block's element has the same name.
const (
	fieldTopics = "topics"
	fieldSeries = "series"
	fieldDay    = "day"
	fieldTime   = "time"
	fieldZone   = "zone"
	fieldStyle  = "style"
	fieldLang   = "lang"
	fieldMax    = "max"
)

// field is what a member entered in one element.
type field struct {
	Value          string `json:"value"`
	SelectedTime   string `json:"selected_time"`
	SelectedOption struct {
		Value string `json:"value"`
	} `json:"selected_option"`
	SelectedOptions []struct {
		Value string `json:"value"`
	} `json:"selected_options"`
}

// onPublish is the day of those who want each issue when it comes.
const onPublish = "on publish"

// choice is one option of a menu: what the grammar reads, and what a member sees.
type choice struct{ value, zh, en string }

var (
	days = []choice{
		{"Mon", "每周一", "Every Monday"}, {"Tue", "每周二", "Every Tuesday"}, {"Wed", "每周三", "Every Wednesday"}, {"Thu", "每周四", "Every Thursday"},
		{"Fri", "每周五", "Every Friday"}, {"Sat", "每周六", "Every Saturday"}, {"Sun", "每周日", "Every Sunday"},
		{"weekdays", "每个工作日", "Every weekday"}, {"daily", "每天", "Every day"}, {onPublish, "新的一期发布时", "When an issue is published"},
	}
	styles = []choice{{"headlines", "标题", "Headlines"}, {"brief", "简要：标题和一句话", "Brief: title and one sentence"}, {"full", "全文", "Full text"}}
	langs  = []choice{{"zh", "中文", "中文 (Chinese)"}, {"en", "English（英文）", "English"}}
)

// maxTopics is how many topics can be chosen.
const maxTopics = 20

// form asks for a subscription to topics, which the member can change. Without a language it asks in both. below stands below the fields:
// the preview. Every change is told, so that it can follow.
func form(where venue, topics []string, below []slack.Block) slack.ModalViewRequest {
	say := func(zh, en string) *slack.TextBlockObject { return plain(inLang(where.Lang, zh, en)) }
	input := func(id string, label, hint *slack.TextBlockObject, element slack.BlockElement, optional bool) slack.Block {
		return &slack.InputBlock{Type: slack.MBTInput, BlockID: id, Label: label, Hint: hint, Element: element, Optional: optional, DispatchAction: true}
	}
	line := func(id, example string, most int) *slack.PlainTextInputBlockElement {
		e := slack.NewPlainTextInputBlockElement(plain(example), id)
		e.MaxLength = most
		return e
	}
	menu := func(id, initial string, choices []choice) *slack.SelectBlockElement {
		e := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, id)
		for _, c := range choices {
			option := slack.NewOptionBlockObject(c.value, say(c.zh, c.en), nil)
			e.Options = append(e.Options, option)
			if c.value == initial {
				e.InitialOption = option
			}
		}
		return e
	}
	at := slack.NewTimePickerBlockElement(fieldTime)
	at.InitialTime = "09:00"
	most := slack.NewNumberInputBlockElement(nil, fieldMax, false)
	most.MinValue, most.MaxValue = "1", "500"
	lang := where.Lang
	if lang == "" {
		lang = "zh"
	}
	fields := []slack.Block{
		input(fieldTopics, say("主题", "Topics"), say("输入几个字来查找；不选是全部内容", "Type to look for them; none is everything"), topicsElement(topics, say("ebpf, 服务网格", "ebpf, wasm")), true),
		input(fieldSeries, say("期刊", "Series"), say("不填是全部期刊", "Empty is all of them"), line(fieldSeries, "cloud-native-weekly", 300), true),
		input(fieldDay, say("什么时候", "When"), nil, menu(fieldDay, "Mon", days), false),
		input(fieldTime, say("几点", "At"), say("发布时即送的订阅不看时间", "Does not count when issues come as they are published"), at, false),
		input(fieldZone, say("时区", "Time zone"), say("不填是机器人的默认时区", "Empty is the bot's own"), line(fieldZone, "Asia/Shanghai", 60), true),
		input(fieldStyle, say("长短", "Length"), nil, menu(fieldStyle, "brief", styles), false),
		input(fieldLang, say("语言", "Language"), nil, menu(fieldLang, lang, langs), false),
		input(fieldMax, say("最多几条", "At most so many items"), nil, most, true),
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: viewSubscribe, PrivateMetadata: where.metadata(),
		Title: say("订阅", "Subscribe"), Submit: say("订阅", "Subscribe"), Close: say("取消", "Cancel"),
		Blocks: slack.Blocks{BlockSet: append(fields, below...)},
	}
}

// formCommand is the command that a filled-in form stands for; "/preview" takes the same words as "/subscribe".
func formCommand(verb string, values map[string]map[string]field) string {
	get := func(id string) field { return values[id][id] }
	typed := func(id string) string { return oneWord(get(id).Value) }
	words := []string{verb, "all"}
	var topics []string
	for _, option := range get(fieldTopics).SelectedOptions {
		topics = append(topics, oneWord(option.Value))
	}
	if topics = nonEmpty(topics); len(topics) > 0 {
		words[1] = strings.Join(topics, ", ")
	}
	if series := typed(fieldSeries); series != "" {
		words = append(words, "from", series)
	}
	if day := get(fieldDay).SelectedOption.Value; day == onPublish {
		words = append(words, onPublish)
	} else {
		words = append(words, day, get(fieldTime).SelectedTime, typed(fieldZone))
	}
	words = append(words, get(fieldStyle).SelectedOption.Value, get(fieldLang).SelectedOption.Value)
	if n := typed(fieldMax); n != "" {
		words = append(words, "max", n)
	}
	return strings.Join(nonEmpty(words), " ")
}

// oneWord is what a member entered, in one line and without quotes.
func oneWord(entered string) string {
	return strings.Join(strings.Fields(quotes.Replace(apihttp.CleanText(entered))), " ")
}

// quotes would join words that the grammar must see apart.
var quotes = strings.NewReplacer(`"`, " ", "'", " ", "“", " ", "”", " ", "‘", " ", "’", " ", "「", " ", "」", " ", "『", " ", "』", " ")

// faultyField is where a code of the core's is shown; every other one at the topics, which come first.
var faultyField = map[string]string{
	"unknown_series": fieldSeries, "too_many_series": fieldSeries,
	"bad_schedule": fieldDay, "never_fires": fieldDay,
	"unknown_zone": fieldZone,
	"bad_max":      fieldMax,
}

// openForm opens the form. It must come before anything slow: the trigger dies after 3 s.
func (a *Adapter) openForm(ctx context.Context, workspace, trigger string, where venue, topics ...string) bool {
	if where.Channel == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, triggerLife)
	defer cancel()
	return a.show(ctx, workspace, "views.open", func(api *slack.Client) error {
		_, err := api.OpenViewContext(ctx, trigger, form(where, topics, nil))
		return err
	})
}

// show calls a method of views with the token of workspace, and logs what went wrong.
func (a *Adapter) show(ctx context.Context, workspace, method string, do func(*slack.Client) error) bool {
	c, fault := a.call(ctx, workspace, maxAPIAnswer)
	if fault == nil {
		err := do(c.api)
		if err == nil {
			return true
		}
		fault = c.fault(ctx, err)
	}
	a.log.WarnContext(ctx, "view not shown", "adapter", Name, "workspace", workspace, "method", method, "code", fault.Code, "err", fault)
	return false
}

// formOrAnswer opens the form for a bare /subscribe, in the language of the core's answer if that comes soon; what cannot be a form is
// that answer.
func (a *Adapter) formOrAnswer(ctx context.Context, in bot.Inbox, cmd bot.Command, trigger string, responseURL bot.Secret, first reply) {
	done := a.start(ctx, in, cmd)
	where := venue{Channel: cmd.Channel.Address, Name: cmd.Channel.Name, Lang: langIn(cmd.Text), Reply: responseURL.Reveal()}
	select {
	case got := <-done:
		done <- got
		where.Lang = got.msg.Lang
	case <-time.After(min(a.ackWithin, languageWithin)):
	}
	if trigger != "" && a.openForm(ctx, cmd.Channel.Workspace, trigger, where) {
		first(nil, true)
		<-done
		return
	}
	a.finish(ctx, cmd, responseURL, done, first)
}

// submitted runs what a form asks for. The member sees the answer in the place of the form, or in it what is wrong; the channel sees what
// concerns it.
func (a *Adapter) submitted(ctx context.Context, in bot.Inbox, it interaction, first reply) {
	where := readVenue(it.View.Metadata)
	if where.Channel == "" || it.workspace() == "" || it.User.ID == "" {
		first(nil, false)
		return
	}
	cmd := a.clicked(it, where, formCommand("/subscribe", it.View.State.Values))
	done := a.start(ctx, in, cmd)
	timer := time.NewTimer(a.ackWithin)
	defer timer.Stop()
	var got result
	select {
	case got = <-done:
		first(formResponse(got, where.Lang), true)
	case <-timer.C:
		first(slack.NewUpdateViewSubmissionResponse(answerView(waiting, where.Lang)), true)
		got = <-done
		a.updateView(ctx, it.workspace(), it.View.ID, answerView(got.msg, where.Lang))
	}
	if got.err != nil || got.msg.Code != "" {
		return
	}
	if where.Home {
		a.publishHome(ctx, in, cmd, "", nil)
	} else if got.msg.Public && where.Reply != "" {
		a.deliver(ctx, cmd, bot.Secret(where.Reply), responses(got.msg, cmd.Text))
	}
}

// formResponse is the answer to a submission.
func formResponse(got result, lang string) *slack.ViewSubmissionResponse {
	if got.err == nil && got.msg.Code == "" {
		return slack.NewUpdateViewSubmissionResponse(answerView(got.msg, lang))
	}
	block, ok := faultyField[got.msg.Code]
	if !ok {
		block = fieldTopics
	}
	return slack.NewErrorsViewSubmissionResponse(map[string]string{block: clip(said(got.msg), maxLabel)})
}

// said is all text of a short message, in one line.
func said(msg bot.Message) string {
	texts := []string{apihttp.CleanText(msg.Title)}
	for _, b := range msg.Blocks {
		texts = append(texts, apihttp.CleanText(b.Text))
	}
	return strings.Join(nonEmpty(texts), " ")
}

// answerView is an answer as a modal.
func answerView(msg bot.Message, lang string) *slack.ModalViewRequest {
	return &slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: viewAnswer, Title: plain(inLang(lang, "订阅", "Subscribe")), Close: plain(inLang(lang, "关闭", "Close")),
		Blocks: slack.Blocks{BlockSet: responses(msg, "")[0].Blocks},
	}
}

func (a *Adapter) updateView(ctx context.Context, workspace, id string, view *slack.ModalViewRequest) {
	a.show(ctx, workspace, "views.update", func(api *slack.Client) error {
		_, err := api.UpdateViewContext(ctx, *view, "", "", id)
		return err
	})
}

// validateView says why Slack would refuse the blocks of a view.
func validateView(blocks []slack.Block) error {
	if len(blocks) == 0 || len(blocks) > maxViewBlocks {
		return fmt.Errorf("a view of %d blocks: want 1 to %d", len(blocks), maxViewBlocks)
	}
	for k, block := range blocks {
		if _, err := checkBlock(block); err != nil {
			return fmt.Errorf("block %d: %w", k, err)
		}
	}
	if body, err := encode(blocks); err != nil || len(body) > maxViewBytes {
		return errors.New("the view is too large")
	}
	return nil
}
