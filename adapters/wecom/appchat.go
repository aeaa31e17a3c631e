package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// makeChat is `weeklybot wecom appchat NAME OWNER MEMBER…`: it lets the first app make a group, which the app alone can post to
// (创建群聊会话, developer.work.weixin.qq.com/document/path/90245, read 2026-11).
func (a *Adapter) makeChat(ctx context.Context, args []string, out io.Writer) error {
	const minMembers = 2 // the owner is one
	if len(args) < 1+minMembers {
		return errors.New("want a name, the owner's userid, and at least one more userid: weeklybot wecom appchat 周报 zhangsan lisi")
	}
	if len(a.tokens) == 0 {
		return errors.New("no app is configured: put one into adapters.wecom.apps (weeklybot wecom doctor)")
	}
	t, name, members := a.tokens[0], args[0], args[1:]
	body, err := encode(map[string]any{"name": name, "owner": members[0], "userlist": members})
	if err != nil {
		return err
	}
	answer, fault := a.callAPI(ctx, t, "/cgi-bin/appchat/create?", contentJSON, body)
	if fault != nil {
		return fmt.Errorf("make the group with %s: %w (the app must be visible to the root department)", t.app, fault)
	}
	var got struct {
		ChatID string `json:"chatid"`
	}
	if json.Unmarshal(answer, &got) != nil || got.ChatID == "" {
		return errors.New("WeCom made the group and named no chatid")
	}
	p := &paper{out: out}
	p.line("The group is there; members see it with the first post. In config.yaml:")
	p.line("  channels: [{name: team, platform: wecom, kind: appchat, workspace: %q, address: %q}]", a.workspace(t.app), "chat:"+got.ChatID)
	return p.err
}
