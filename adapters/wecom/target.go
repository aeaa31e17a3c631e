package wecom

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const webhookPath = "/cgi-bin/webhook/send"

// keyForm is a robot's key: a UUID today, but nothing documents that.
var keyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)

// Target makes the Channel of `weeklybot send --to wecom-webhook:SPEC`, where spec is a robot's URL or only its key. secret has no use
// here: group robots do not sign. The Adapter must be made with the URL's host among its TrustedHosts when it is not WeCom's own.
func Target(spec string, _ bot.Secret) (bot.Channel, error) {
	if !keyForm.MatchString(spec) {
		u, err := url.Parse(spec)
		if err != nil || u.Host == "" {
			return bot.Channel{}, errors.New("want the robot's URL (https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…) or its key")
		}
		if err := checkWebhook(u, spec, []string{u.Host}); err != nil {
			return bot.Channel{}, err
		}
	}
	return bot.Channel{Adapter: Name, Kind: KindWebhook, Address: "target", Name: "wecom-webhook", URL: bot.Secret(spec)}, nil
}

// webhookURL is where a Channel's URL, or only the key of one, is posted to.
func (a *Adapter) webhookURL(raw bot.Secret) (string, error) {
	spec := strings.TrimSpace(raw.Reveal())
	if spec == "" {
		return "", errors.New("the channel has no webhook: set its url")
	}
	if keyForm.MatchString(spec) {
		return a.cfg.APIURL + webhookPath + "?key=" + spec, nil
	}
	u, err := url.Parse(spec)
	if err != nil {
		return "", errors.New("the channel's webhook is not a URL")
	}
	return spec, checkWebhook(u, spec, append([]string{apiURL, a.cfg.APIURL}, a.cfg.TrustedHosts...))
}

func checkWebhook(u *url.URL, raw string, hosts []string) error {
	if err := apihttp.CheckURL(raw, hosts); err != nil {
		return err
	}
	if u.Path != webhookPath || !keyForm.MatchString(u.Query().Get("key")) {
		return errors.New("want the robot's whole URL, which ends in " + webhookPath + "?key=…")
	}
	return nil
}
