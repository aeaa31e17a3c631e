package twin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"weeklybot/adapters/internal/standin"
)

const sendScope = "qyapi_robot_sendmsg"

// accessToken is POST /v1.0/oauth2/accessToken. It is not metered; while a token is good, the same one is given again.
func (t *Twin) accessToken(w http.ResponseWriter, r *http.Request) {
	var ask struct{ AppKey, AppSecret string }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil || json.Unmarshal(body, &ask) != nil {
		t.refuse(w, r, openAPI, refuse("invalidParameter", "body is not JSON"))
		return
	}
	if ask.AppKey != t.opt.ClientID || ask.AppSecret != t.opt.ClientSecret || ask.AppKey == "" {
		t.refuse(w, r, openAPI, refuse("invalidClientIdOrSecret", "无效的clientId或者clientSecret"))
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	if t.token == "" || !now.Before(t.tokenEnd) {
		t.token = "twin-" + standin.RandomHex(16)
	}
	t.tokenEnd = now.Add(t.opt.TokenLife)
	t.tokens++
	standin.WriteJSON(w, http.StatusOK, map[string]any{"accessToken": t.token, "expireIn": int(t.opt.TokenLife.Seconds())})
}

// sendCall is the body of both calls that post.
type sendCall struct {
	RobotCode          string   `json:"robotCode"`
	OpenConversationID string   `json:"openConversationId"`
	UserIDs            []string `json:"userIds"`
	MsgKey             string   `json:"msgKey"`
	MsgParam           string   `json:"msgParam"`
}

// templates are the msgKeys with the parameters that they need.
var templates = map[string][]string{
	"sampleText":        {"content"},
	"sampleMarkdown":    {"title", "text"},
	"sampleLink":        {"title", "text", "messageUrl"},
	"sampleImageMsg":    {"photoURL"},
	"sampleActionCard":  {"title", "text", "singleTitle", "singleURL"},
	"sampleActionCard2": {"title", "text", "actionTitle1", "actionURL1", "actionTitle2", "actionURL2"},
	"sampleActionCard3": {"title", "text", "actionTitle1", "actionURL1", "actionTitle2", "actionURL2", "actionTitle3", "actionURL3"},
	"sampleActionCard4": {"title", "text", "actionTitle1", "actionURL1", "actionTitle2", "actionURL2", "actionTitle3", "actionURL3",
		"actionTitle4", "actionURL4"},
	"sampleActionCard5": {"title", "text", "actionTitle1", "actionURL1", "actionTitle2", "actionURL2", "actionTitle3", "actionURL3",
		"actionTitle4", "actionURL4", "actionTitle5", "actionURL5"},
	"sampleActionCard6": {"title", "text", "buttonTitle1", "buttonUrl1", "buttonTitle2", "buttonUrl2"},
}

// groupSend is POST /v1.0/robot/groupMessages/send.
func (t *Twin) groupSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	call, p, no := t.readCall(r, body)
	switch {
	case no != nil:
		return nil, no
	case call.OpenConversationID == "":
		return nil, refuse("miss.param.openConversationId", "缺少参数 openConversationId")
	case len(t.opt.Groups) > 0 && !slices.Contains(t.opt.Groups, call.OpenConversationID):
		return nil, refuse("invalid.openConversationId", "无效的群会话id")
	}
	p.Channel = "group:" + call.OpenConversationID
	return map[string]any{"processQueryKey": t.show(p).ID}, nil
}

// batchSend is POST /v1.0/robot/oToMessages/batchSend.
func (t *Twin) batchSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	call, p, no := t.readCall(r, body)
	switch {
	case no != nil:
		return nil, no
	case len(call.UserIDs) == 0:
		return nil, refuse("miss.param.userIds", "缺少参数 userIds")
	case len(call.UserIDs) > maxUsers:
		return nil, refuse("too.many.people", "userIds 超过 %d 个", maxUsers)
	}
	invalid, flow := []string{}, []string{}
	for _, id := range call.UserIDs {
		switch {
		case len(t.opt.Staff) > 0 && !slices.Contains(t.opt.Staff, id):
			invalid = append(invalid, id)
		case slices.Contains(t.opt.FlowControlled, id):
			flow = append(flow, id)
		default:
			p.Channel = "user:" + id
			t.show(p)
		}
	}
	return map[string]any{"processQueryKey": p.ID, "invalidStaffIdList": invalid, "flowControlledStaffIdList": flow}, nil
}

// maxMedia is how many uploads are remembered; all are forgotten beyond it.
const maxMedia = 1000

// mediaUpload is POST /media/upload. Source: upload-media-files, read 2026-11.
func (t *Twin) mediaUpload(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := r.URL.Query()
	if token := q.Get("access_token"); token == "" || token != t.token || !t.opt.Now().Before(t.tokenEnd) {
		return nil, refuse("40014", "不合法的access_token")
	}
	if t.opt.MonthlyCalls >= 0 && t.month >= t.opt.MonthlyCalls {
		return nil, refuse("90020", "当前企业调用接口次数已达上限")
	}
	t.month++
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := r.ParseMultipartForm(maxRequest); err != nil || q.Get("type") != "image" && r.FormValue("type") != "image" {
		return nil, refuse("40035", "不合法的参数 type")
	}
	file, _, err := r.FormFile("media")
	if err != nil {
		return nil, refuse("40035", "缺少参数 media")
	}
	image, _ := io.ReadAll(file) // in memory
	if !strings.HasPrefix(http.DetectContentType(image), "image/") {
		return nil, refuse("40035", "不合法的参数 media")
	}
	if len(t.media) >= maxMedia {
		clear(t.media)
	}
	id := "@lAD" + standin.RandomHex(20)
	t.media[id] = image
	return map[string]any{"errcode": 0, "errmsg": "ok", "media_id": id, "type": "image", "created_at": t.opt.Now().UnixMilli()}, nil
}

// maxRecall is the most messages of one recall. Source: 批量撤回人与机器人会话中机器人消息, read 2026-11.
const maxRecall = 20

// groupRecall is POST /v1.0/robot/groupMessages/recall.
func (t *Twin) groupRecall(r *http.Request, body []byte) (any, *refusal) {
	return t.recall(r, body, "group:")
}

// batchRecall is POST /v1.0/robot/otoMessages/batchRecall.
func (t *Twin) batchRecall(r *http.Request, body []byte) (any, *refusal) {
	return t.recall(r, body, "user:")
}

// recall takes back messages of one group, or of conversations with one person.
func (t *Twin) recall(r *http.Request, body []byte, prefix string) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if no := t.allowed(r); no != nil {
		return nil, no
	}
	var ask struct {
		RobotCode, OpenConversationID string
		ProcessQueryKeys              []string
	}
	if json.Unmarshal(body, &ask) != nil {
		return nil, refuse("invalidParameter", "body is not JSON")
	}
	switch {
	case ask.RobotCode != t.opt.RobotCode:
		return nil, refuse("invalidParameter.robotCode.notExsit", "robotCode 不存在")
	case prefix == "group:" && ask.OpenConversationID == "":
		return nil, refuse("miss.param.openConversationId", "缺少参数 openConversationId")
	case len(ask.ProcessQueryKeys) == 0:
		return nil, refuse("miss.param.processQueryKeys", "缺少参数 processQueryKeys")
	case len(ask.ProcessQueryKeys) > maxRecall:
		return nil, refuse("invalidParameter.processQueryKeys", "processQueryKeys 超过 %d 个", maxRecall)
	}
	done, failed := []string{}, map[string]string{}
	for _, key := range ask.ProcessQueryKeys {
		failed[key] = "消息不存在"
		for k := range t.posts {
			p := &t.posts[k]
			if p.ID == key && strings.HasPrefix(p.Channel, prefix) && (prefix != "group:" || p.Channel == prefix+ask.OpenConversationID) {
				p.Recalled = true
				delete(failed, key)
			}
		}
		if failed[key] == "" {
			done = append(done, key)
		}
	}
	return map[string]any{"successResult": done, "failedResult": failed}, nil
}

// readCall checks what both calls have in common. The caller holds the lock.
func (t *Twin) readCall(r *http.Request, body []byte) (call sendCall, p Post, no *refusal) {
	if no := t.allowed(r); no != nil {
		return call, p, no
	}
	if json.Unmarshal(body, &call) != nil {
		return call, p, refuse("invalidParameter", "body is not JSON")
	}
	required, known := templates[call.MsgKey]
	switch {
	case call.RobotCode == "":
		return call, p, refuse("miss.param.robotCode", "缺少参数 robotCode")
	case call.RobotCode != t.opt.RobotCode:
		return call, p, refuse("invalidParameter.robotCode.notExsit", "robotCode 不存在")
	case call.MsgKey == "":
		return call, p, refuse("miss.param.msgKey", "缺少参数 msgKey")
	case !known:
		return call, p, refuse("invalidParameter.msgKey.invalid", "msgKey %s 无效", call.MsgKey)
	case call.MsgParam == "":
		return call, p, refuse("miss.param.msgParam", "缺少参数 msgParam")
	case len(call.MsgParam) > maxParam:
		return call, p, refuse("invalidParameter.msgParam.tooLong", "msgParam 超过 %d 字节", maxParam)
	}
	var param map[string]string
	if json.Unmarshal([]byte(call.MsgParam), &param) != nil {
		return call, p, refuse("invalidParameter.msgParam.invalid", "msgParam is not an object of strings")
	}
	for _, name := range required {
		if param[name] == "" {
			return call, p, refuse("invalidParameter.msgParam.invalid", "msgParam lacks %s", name)
		}
	}
	return call, t.templatePost(call.MsgKey, param, body), nil
}

// templatePost is the message that a template shows.
func (t *Twin) templatePost(key string, param map[string]string, raw []byte) Post {
	t.serial++
	p := Post{ID: "pqk-" + standin.RandomHex(12), Kind: key, Raw: raw, Body: map[string]any{}}
	p.Title, p.Text = param["title"], param["text"]
	if key == "sampleText" {
		p.Title, p.Text = param["content"], param["content"]
	}
	for name, value := range param {
		p.Body[name] = value
	}
	for _, pair := range [][2]string{{"singleTitle", "singleURL"}, {"actionTitle1", "actionURL1"}, {"actionTitle2", "actionURL2"},
		{"actionTitle3", "actionURL3"}, {"actionTitle4", "actionURL4"}, {"actionTitle5", "actionURL5"},
		{"buttonTitle1", "buttonUrl1"}, {"buttonTitle2", "buttonUrl2"}} {
		if slices.Contains(templates[key], pair[0]) {
			p.Buttons = append(p.Buttons, Button{param[pair[0]], param[pair[1]]})
		}
	}
	return p
}

// allowed checks token, permission, rate and quota. Throttled calls do not count for the quota.
func (t *Twin) allowed(r *http.Request) *refusal {
	now := t.opt.Now()
	token := r.Header.Get("x-acs-dingtalk-access-token")
	if t.calls[r.URL.Path] == nil {
		t.calls[r.URL.Path] = &standin.Window{}
	}
	switch {
	case token == "" || token != t.token || !now.Before(t.tokenEnd):
		return &refusal{status: http.StatusUnauthorized, code: "InvalidAuthentication", message: "不合法的access_token"}
	case t.opt.Unpermitted:
		return &refusal{status: http.StatusForbidden, code: "Forbidden.AccessDenied.AccessTokenPermissionDenied",
			message: "应用尚未开通所需的权限", scopes: []string{sendScope}}
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		return refuse("invalidParameter.contentType", "want application/json")
	case !t.calls[r.URL.Path].Admits(now, t.opt.QPS, t.opt.Window/60):
		return &refusal{status: http.StatusForbidden, code: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", message: "当前应用调用该接口次数过多,超过了每秒的流控值"}
	case t.opt.MonthlyCalls >= 0 && t.month >= t.opt.MonthlyCalls:
		return &refusal{status: http.StatusForbidden, code: "Forbidden.AccessDenied.ApiCountLimitForOrg", message: "当前企业调用接口次数已达上限"}
	}
	t.month++
	return nil
}
