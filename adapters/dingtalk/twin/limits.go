package twin

import "time"

// The platform's limits. Source: open.dingtalk.com, custom-robots-send-group-messages, the-robot-sends-a-group-message,
// how-to-process-api-throttling, dingtalk-application-development-platform-billing-model, appendix-b-proposals-for-rational-use-of-resources,
// all read 2026-11; the size of a webhook's body from timonwong/prometheus-webhook-dingtalk issue 30.
const (
	perMinute    = 20    // posts of one group robot
	blockMinutes = 10    // after too many
	perSecond    = 20    // calls of one API
	monthlyCalls = 5000  // calls of the app's API, standard edition
	maxBody      = 20000 // bytes of a webhook's body
	maxParam     = 15000 // bytes of msgParam
	maxUsers     = 20    // of one batchSend
	maxKeywords  = 10

	tokenLife   = 7200 * time.Second
	sessionLife = 90 * time.Minute
	maxSkew     = time.Hour
	hookTimeout = 2500 * time.Millisecond
)
