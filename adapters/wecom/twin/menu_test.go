package twin

import (
	"strings"
	"testing"
)

func TestMenuRules(t *testing.T) {
	tw, server, _ := stand(t)
	url := server.URL + "/cgi-bin/menu/create?agentid=1000002&access_token=" + token(t, server, "s1")
	click := `{"type":"click","name":"n","key":"k"}`
	menu := func(buttons ...string) string { return `{"button":[` + strings.Join(buttons, ",") + `]}` }
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"one", menu(click), 0},
		{"two levels", menu(click, `{"name":"more","sub_button":[`+click+`,{"type":"view","name":"n","url":"https://example.org"}]}`), 0},
		{"none", `{}`, 40016},
		{"four", menu(click, click, click, click), 40016},
		{"six below", menu(`{"name":"more","sub_button":[` + strings.TrimSuffix(strings.Repeat(click+",", 6), ",") + `]}`), 40023},
		{"three levels", menu(`{"name":"more","sub_button":[{"type":"click","name":"n","key":"k","sub_button":[` + click + `]}]}`), 40022},
		{"long name", menu(`{"type":"click","name":"六个汉字太长","key":"k"}`), 40018},
		{"no name", menu(`{"type":"click","key":"k"}`), 40018},
		{"no key", menu(`{"type":"click","name":"n"}`), 40019},
		{"long key", menu(`{"type":"click","name":"n","key":"` + strings.Repeat("k", 129) + `"}`), 40019},
		{"no url", menu(`{"type":"view","name":"n"}`), 40020},
		{"no type", menu(`{"name":"n"}`), 40017},
		{"odd", `{"button":"x"}`, 40035},
	} {
		if got := code(t, ask(t, "POST", url, c.body)); got != c.want {
			t.Errorf("%s: errcode %d, want %d", c.name, got, c.want)
		}
	}
	if m := tw.Menu(1000002); len(m) != 2 || len(m[1].Sub) != 2 {
		t.Errorf("menu %+v", m)
	}
	if got := code(t, ask(t, "POST", strings.Replace(url, "1000002", "1000003", 1), menu(click))); got != 40056 {
		t.Errorf("another app's: errcode %d", got)
	}
	if got := code(t, ask(t, "POST", server.URL+"/cgi-bin/menu/create?agentid=1000002", menu(click))); got != 41001 {
		t.Errorf("no token: errcode %d", got)
	}
}

func TestRecallRules(t *testing.T) {
	tw, server, clock := stand(t)
	tok := token(t, server, "s1")
	id := ask(t, "POST", server.URL+"/cgi-bin/message/send?access_token="+tok, `{"touser":"lisi","agentid":1000002,"msgtype":"text","text":{"content":"x"}}`)["msgid"].(string)
	recall := func(tok, id string) int {
		return code(t, ask(t, "POST", server.URL+"/cgi-bin/message/recall?access_token="+tok, `{"msgid":"`+id+`"}`))
	}
	for _, c := range []struct {
		name, token, id string
		want            int
	}{{"no token", "", id, 41001}, {"unknown", tok, "x", 40035}, {"empty", tok, "", 40035}, {"another app's", token(t, server, "s2"), id, 40035}, {"good", tok, id, 0}} {
		if got := recall(c.token, c.id); got != c.want {
			t.Errorf("%s: errcode %d, want %d", c.name, got, c.want)
		}
	}
	if !tw.Posts()[0].Recalled {
		t.Error("the post is still there")
	}
	clock.Add(24 * 3600)
	if got := recall(token(t, server, "s1"), id); got != 40035 {
		t.Errorf("after a day: errcode %d", got)
	}
}

func TestCreateChatRules(t *testing.T) {
	_, server, _ := stand(t)
	url := server.URL + "/cgi-bin/appchat/create?access_token=" + token(t, server, "s1")
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"good", `{"name":"n","owner":"lisi","userlist":["lisi","wangwu"],"chatid":"mine"}`, 0},
		{"again", `{"name":"n","owner":"lisi","userlist":["lisi","wangwu"],"chatid":"mine"}`, 86215},
		{"id of its own", `{"userlist":["lisi","wangwu"]}`, 0},
		{"bad id", `{"userlist":["lisi","wangwu"],"chatid":"a-b"}`, 86001},
		{"alone", `{"userlist":["lisi"]}`, 86006},
		{"stranger", `{"userlist":["lisi","nobody"]}`, 60111},
		{"long name", `{"name":"` + strings.Repeat("长", 51) + `","userlist":["lisi","wangwu"]}`, 40058},
	} {
		if got := code(t, ask(t, "POST", url, c.body)); got != c.want {
			t.Errorf("%s: errcode %d, want %d", c.name, got, c.want)
		}
	}
}

func TestUnlicensed(t *testing.T) {
	tw, server, _ := stand(t)
	tw.opt.Unlicensed = []string{"WangWu"}
	url := server.URL + "/cgi-bin/message/send?access_token=" + token(t, server, "s1")
	for to, want := range map[string]string{`"touser":"wangwu"`: "wangwu", `"touser":"lisi|wangwu"`: "wangwu", `"touser":"lisi"`: "", `"toparty":"1"`: "wangwu", `"touser":"@all"`: "wangwu"} {
		answer := ask(t, "POST", url, `{`+to+`,"agentid":1000002,"msgtype":"text","text":{"content":"x"}}`)
		if code(t, answer) != 0 || answer["unlicenseduser"] != want {
			t.Errorf("%s: %v, want %q without licence", to, answer, want)
		}
	}
	if len(tw.Posts()) != 4 {
		t.Errorf("%d posts, want 4: who has no licence gets none", len(tw.Posts()))
	}
}
