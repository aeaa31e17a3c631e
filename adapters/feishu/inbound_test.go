package feishu

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/feishu/twin"
	"weeklybot/bot"
)

func (s *stage) say(t *testing.T, said twin.Said) {
	t.Helper()
	status, err := s.twin.Say(t.Context(), s.hook, said)
	if err != nil || status != http.StatusOK {
		t.Fatalf("a message was answered %d, %v; want 200", status, err)
	}
}

func TestCommandIsAnsweredByReply(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.say(t, twin.Said{Text: "\u00a0\u3000/hot ebpf ", User: "ou_1", Chat: "oc_1", ChatName: "架构组", MessageID: "om_1"})
	eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 })
	if p := s.twin.Posts()[0]; p.Channel != "oc_1" || p.ReplyTo != "om_1" || p.Kind != "interactive" || !strings.Contains(p.Text(), "3 条结果") {
		t.Fatalf("post %+v", p)
	}
	got := s.in.commands()[0]
	if time.Since(got.At) > time.Hour {
		t.Errorf("At = %v", got.At)
	}
	got.At = time.Time{}
	want := bot.Command{ID: "om_1", Text: "/hot ebpf", Member: bot.Member{ID: "ou_1"},
		Channel: bot.Channel{Adapter: "feishu", Kind: "app", Workspace: "tenant", Address: "oc_1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMessageIsAcknowledgedBeforeTheCommandIsDone(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.in.hold = make(chan struct{})
	s.say(t, twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"}) // it would hang for ever
	eventually(t, "command", func() bool { return len(s.in.commands()) == 1 })
	close(s.in.hold)
	eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 })
	if s.in.over != nil {
		t.Errorf("the command's context ended with the request: %v", s.in.over)
	}
}

func TestWhatIsAMessageForUs(t *testing.T) {
	mention := func(key, kind string) []any {
		return []any{map[string]any{"key": key, "name": "x", "mentioned_type": kind}}
	}
	for _, c := range []struct {
		name string
		said twin.Said
		want string // "" = no command
	}{
		{"group", twin.Said{Text: "/hot"}, "/hot"},
		{"alone", twin.Said{Text: "hot ebpf", P2P: true}, "hot ebpf"},
		{"layout", twin.Said{Text: "/hot ebpf", Post: true}, "/hot ebpf"},
		{"slash without mention", twin.Said{Text: "/hot", NoMention: true}, "/hot"},
		{"group talk", twin.Said{Text: "lunch?", NoMention: true}, ""},
		{"talk with a colleague", twin.Said{Text: "@_user_1 lunch?", NoMention: true, Message: map[string]any{"mentions": mention("@_user_1", "user")}}, ""},
		{"talk with everybody", twin.Said{Text: "@_all lunch?", NoMention: true, Message: map[string]any{"mentions": mention("@_all", "")}}, ""},
		{"older event", twin.Said{Text: "@_user_1 help", NoMention: true, Message: map[string]any{"mentions": mention("@_user_1", "")}}, "help"},
		{"mention at the end", twin.Said{Text: "help @_user_1", NoMention: true, Message: map[string]any{"mentions": mention("@_user_1", "bot")}}, "help"},
		{"another bot", twin.Said{Text: "/hot", Sender: map[string]any{"sender_type": "app"}}, ""},
		{"picture", twin.Said{Text: "x", Message: map[string]any{"message_type": "image", "content": `{"image_key":"img_1"}`}}, ""},
		{"no content", twin.Said{Text: "x", Message: map[string]any{"content": nil}}, ""},
		{"content is no JSON", twin.Said{Text: "x", Message: map[string]any{"content": "{"}}, ""},
		{"time as number", twin.Said{Text: "/help", Message: map[string]any{"create_time": 1708327204136}}, "/help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, twin.Options{}, nil)
			c.said.User, c.said.Chat = "ou_1", "oc_1"
			s.say(t, c.said)
			s.say(t, twin.Said{Text: "/last", User: "ou_1", Chat: "oc_2"}) // what was let through has arrived when this one has
			eventually(t, "last command", func() bool {
				got := s.in.commands()
				return len(got) > 0 && got[len(got)-1].Text == "/last" || len(got) > 1
			})
			got := s.in.commands()
			if c.want == "" && len(got) != 1 || c.want != "" && (len(got) != 2 || got[0].Text != c.want && got[1].Text != c.want) {
				t.Errorf("commands %+v, want %q", got, c.want)
			}
		})
	}
}

func TestLongAnswerContinues(t *testing.T) {
	s := newStage(t, twin.Options{ChatRate: -1}, nil)
	s.in.answer = issueOf(270, "一句话说清楚这条新闻为什么值得读，以及它影响谁。")
	s.say(t, twin.Said{Text: "/latest", User: "ou_1", Chat: "oc_1", MessageID: "om_1"})
	n := len(s.a.Split(KindApp, s.in.answer))
	eventually(t, "all parts", func() bool { return len(s.twin.Posts()) == n })
	for k, p := range s.twin.Posts() {
		if !strings.Contains(p.Title, fmt.Sprintf("(%d/%d)", k+1, n)) || p.ReplyTo != "om_1" {
			t.Errorf("post %d is titled %q, in reply to %q", k, p.Title, p.ReplyTo)
		}
	}
}

func TestAnswerToAMessageTakenBackGoesToTheChat(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.twin.Recall("om_1")
	s.say(t, twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1", MessageID: "om_1"})
	eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 })
	if p := s.twin.Posts()[0]; p.Channel != "oc_1" || p.ReplyTo != "" {
		t.Errorf("post %+v", p)
	}
}

func TestAnswerSurvivesAStaleToken(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	for k := range 2 {
		s.say(t, twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"})
		eventually(t, "answer", func() bool { return len(s.twin.Posts()) == k+1 })
		s.twin.ExpireToken()
	}
	if strings.Contains(s.log.String(), "not delivered") {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestFailedCommandIsAnsweredAndLogged(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.in.fails(errors.New("store is down"))
	s.say(t, twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"})
	eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 && strings.Contains(s.log.String(), "store is down") })
	s.twin.Fail(1, twin.Failure{Code: 230018, Message: "muted"})
	s.say(t, twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"})
	eventually(t, "log line", func() bool { return strings.Contains(s.log.String(), "was not delivered") })
}

func TestChallenge(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	if err := s.twin.Verify(t.Context(), s.hook); err != nil {
		t.Error(err)
	}
	// Older apps send it without a signature: the encryption and the token within prove who asks.
	r := eventRequest(`{"type":"url_verification","token":"`+testEventToken+`","challenge":"c\"1"}`, time.Now(), testEncryptKey)
	r.Header.Del("X-Lark-Signature")
	w := httptest.NewRecorder()
	s.a.Hook(s.in).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.String() != `{"challenge":"c\"1"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// platformEvents are what the platform says about chats, and what the core must hear of it.
var platformEvents = []struct {
	kind  string
	event map[string]any
	want  *bot.Event
}{
	{"im.chat.member.bot.added_v1", map[string]any{"chat_id": "oc_1"}, nil},
	{"im.message.message_read_v1", map[string]any{}, nil},
	{"im.chat.updated_v1", map[string]any{"chat_id": "oc_1", "after_change": map[string]any{"avatar": "x"}}, nil},
	{"im.chat.disbanded_v1", map[string]any{}, nil},
	{"im.chat.member.bot.deleted_v1", map[string]any{"chat_id": "oc_1", "name": "群"}, &bot.Event{Kind: bot.EventBotRemoved}},
	{"im.chat.disbanded_v1", map[string]any{"chat_id": "oc_1"}, &bot.Event{Kind: bot.EventChannelGone}},
	{"im.chat.updated_v1", map[string]any{"chat_id": "oc_1", "after_change": map[string]any{"name": "新\u202e群名"}},
		&bot.Event{Kind: bot.EventChannelRenamed, NewName: "新群名"}},
}

func checkEvent(t *testing.T, kind string, got []bot.Event, want *bot.Event) {
	t.Helper()
	var list []bot.Event
	if want != nil {
		w := *want
		w.ID, w.Channel = "e1", bot.Channel{Adapter: "feishu", Kind: "app", Workspace: "tenant", Address: "oc_1"}
		list = append(list, w)
	}
	for k := range got {
		if got[k].At.IsZero() {
			t.Errorf("%s: no time", kind)
		}
		got[k].At = time.Time{}
	}
	if diff := cmp.Diff(list, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", kind, diff)
	}
}

func TestEvents(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	for _, c := range platformEvents {
		status, err := s.twin.PushEvent(t.Context(), s.hook, c.kind, "e1", c.event)
		if status != http.StatusOK || err != nil {
			t.Errorf("%s: %d, %v", c.kind, status, err)
		}
		checkEvent(t, c.kind, s.in.takeEvents(), c.want)
	}
	s.in.fails(errors.New("store is down"))
	if status, _ := s.twin.PushEvent(t.Context(), s.hook, "im.chat.disbanded_v1", "", map[string]any{"chat_id": "oc_1"}); status != http.StatusServiceUnavailable {
		t.Errorf("an event that could not be kept was answered %d, want 503 so that it comes again", status)
	}
}

func TestHookIsOffWithoutKeys(t *testing.T) {
	a, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.Hook(&inbox{}).ServeHTTP(w, eventRequest(`{}`, time.Now(), ""))
	if w.Code != http.StatusNotFound {
		t.Errorf("%d, want 404", w.Code)
	}
}

// FuzzInbound: whatever is posted, a message that decodes becomes a clean command, and a signature that is not ours never gets in.
func FuzzInbound(f *testing.F) {
	f.Add([]byte(testCommand), "sig")
	f.Add([]byte(`{"header":{"event_type":"im.chat.disbanded_v1"},"event":{"chat_id":1}}`), "")
	f.Add([]byte(strings.Replace(testCommand, "/hot", `x\u202e\u0000@_user_2@_all`, 1)), "x")
	f.Fuzz(func(t *testing.T, event []byte, signature string) {
		var p pushed
		if json.Unmarshal(event, &p) == nil {
			if m, err := p.message(); err == nil {
				text, _ := m.words()
				cmd := m.command(p, text, time.Now())
				if cmd.ID == "" || cmd.Channel.Address == "" || cmd.Member.ID == "" || !utf8.ValidString(cmd.Text) || strings.ContainsAny(cmd.Text, "\x00\u202e\r") {
					t.Errorf("%s became %+v", event, cmd)
				}
			}
		}
		a := newAdapter(t, "http://127.0.0.1:1")
		in := &inbox{}
		r := eventRequest(string(event), time.Now(), "not the key")
		r.Header.Set("X-Lark-Signature", signature)
		w := httptest.NewRecorder()
		a.Hook(in).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || len(in.got)+len(in.events) > 0 {
			t.Errorf("unsigned %q was answered %d", event, w.Code)
		}
		w = httptest.NewRecorder()
		a.Hook(in).ServeHTTP(w, eventRequest(string(event), time.Now(), testEncryptKey))
		if w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) {
			t.Errorf("answer is no JSON: %s", w.Body)
		}
	})
}
