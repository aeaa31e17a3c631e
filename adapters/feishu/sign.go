package feishu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
)

// sign is 签名校验 of a custom bot for a timestamp in seconds, as sent. Unlike elsewhere, timestamp and secret are the key, and the message
// is empty. Source: open.feishu.cn, 自定义机器人使用指南, read 2026-11.
func sign(timestamp, secret string) string {
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
