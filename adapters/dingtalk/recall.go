package dingtalk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Paths of the two calls that take messages back; the second is spelt like this.
// Source: open.dingtalk.com, 企业机器人撤回内部群消息 and 批量撤回人与机器人会话中机器人消息, read 2026-11.
const (
	pathRecallGroup = "/v1.0/robot/groupMessages/recall"
	pathRecallUsers = "/v1.0/robot/otoMessages/batchRecall"
)

const codeNotRecalled = "failedResult"

var _ bot.Recaller = (*Adapter)(nil)

// recallCall is the body of both calls; the conversation only of a group's.
type recallCall struct {
	RobotCode          string   `json:"robotCode"`
	OpenConversationID string   `json:"openConversationId,omitempty"`
	Keys               []string `json:"processQueryKeys"`
}

// Recall takes back a message of the app robot. Posts of group robots have no id and stay.
func (a *Adapter) Recall(ctx context.Context, dst bot.Channel, r bot.Receipt) error {
	if err := ctx.Err(); err != nil {
		return apihttp.Local(bot.Retryable, bot.ScopeMessage, apihttp.CodeNotSent, err)
	}
	if dst.Kind != KindApp || r == "" {
		return apihttp.Local(bot.Permanent, bot.ScopeMessage, codeBadChannel, errors.New("posts of a group robot cannot be taken back"))
	}
	call, path := recallCall{RobotCode: a.cfg.RobotCode, Keys: []string{string(r)}}, pathRecallUsers
	if id, ok := strings.CutPrefix(dst.Address, groupPrefix); ok {
		call.OpenConversationID, path = id, pathRecallGroup
	}
	ans, fault := a.callApp(ctx, a.below(path), apihttp.JSONBody(call), func(ans answer) bool { return ans.Recalled != nil || ans.NotRecalled != nil })
	switch {
	case fault != nil:
		return fault
	case slices.Contains(ans.Recalled, string(r)):
		return nil
	}
	return apihttp.Local(bot.Permanent, bot.ScopeMessage, codeNotRecalled,
		fmt.Errorf("dingtalk did not take the message back: %s", apihttp.Excerpt(ans.NotRecalled)))
}
